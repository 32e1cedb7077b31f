"""The words of the small sums of stories.py, per language. Numbers come in the same order in every language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("Ana", "Ben", "Chen", "Dara", "Eli", "Fatima", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena", "Mia", "Omar", "Tom")
NUM_THINGS = 8


@dataclass(frozen=True)
class StoryWords:
    """How one language tells the sums."""

    things: Sequence[str]
    """NUM_THINGS of them, in the plural; all of one gender where the questions bend with it."""
    last_of: str
    """Between the last two of a list of choices."""
    asks: str
    """What ends every question."""
    ends: str
    """How every worked solution ends; filled with `answer`."""
    kinds: Mapping[str, tuple[str, str]]
    """Question and worked solution of each kind, with the fields that stories.py fills."""

    def told(self, kind: str, made: Mapping[str, Any]) -> tuple[str, str]:
        """Question and worked solution of one sum."""
        filled = dict(made)
        if "thing" in made:
            filled["thing"] = self.things[made["thing"]]
        if "listed" in made:
            *first, last = map(str, made["listed"])
            filled["listed"] = f"{', '.join(first)} {self.last_of} {last}"
        question, solution = self.kinds[kind]
        return question.format(**filled), solution.format(**filled)


ENGLISH = StoryWords(
    ("apples", "books", "cards", "coins", "marbles", "pens", "shells", "stamps"),
    "or",
    'Think briefly, then end with "The answer is" and the number.',
    "The answer is {answer}.",
    {
        "add": ("What is {a} + {b}?", "{a} + {b} = {answer}."),
        "subtract": ("What is {a} - {b}?", "{a} - {b} = {answer}."),
        "multiply": ("What is {a} times {b}?", "{a} times {b} is {answer}."),
        "largest": ("Which number is the largest: {listed}?", "The largest of them is {answer}."),
        "gaining": (
            "{name} has {a} {thing} and buys {b} more. How many {thing} does {name} have now?",
            "{a} and {b} more are {answer}.",
        ),
        "giving": (
            "{name} has {a} {thing} and gives away {b}. How many {thing} does {name} have left?",
            "{a} - {b} = {answer}.",
        ),
        "groups": (
            "{name} has {a} boxes with {b} {thing} in each. How many {thing} are there in all?",
            "{a} boxes of {b} are {a} times {b}, which is {answer}.",
        ),
        "sharing": (
            "{name} shares {a} {thing} equally among {b} friends. How many {thing} does each friend get?",
            "{a} divided by {b} is {answer}.",
        ),
        "two_steps": (
            "{name} has {a} {thing}, finds {b} more and then loses {lost}. How many {thing} does {name} have now?",
            "{a} + {b} = {between}, and {between} - {lost} = {answer}.",
        ),
        "price": (
            "{name} buys {count} {thing} for {each} dollars each and a bag for {bag} dollars. How many dollars is that?",
            "{count} times {each} is {between}, and {between} + {bag} = {answer}.",
        ),
        "older": (
            "{name} is {age} years old, and {other} is {more} years older. How old will {other} be in {years} years?",
            "{other} is {between} now, and {between} + {years} = {answer}.",
        ),
        "missing": ("Which number has to be added to {a} to get {sum}?", "{sum} - {a} = {answer}."),
    },
)

FRENCH = StoryWords(
    ("pommes", "livres", "cartes", "pièces", "billes", "stylos", "coquillages", "timbres"),
    "ou",
    "Réfléchis brièvement, puis termine par « La réponse est » et le nombre.",
    "La réponse est {answer}.",
    {
        "add": ("Combien font {a} + {b} ?", "{a} + {b} = {answer}."),
        "subtract": ("Combien font {a} - {b} ?", "{a} - {b} = {answer}."),
        "multiply": ("Combien font {a} fois {b} ?", "{a} fois {b} font {answer}."),
        "largest": ("Quel nombre est le plus grand : {listed} ?", "Le plus grand de ces nombres est {answer}."),
        "gaining": (
            "{name} a {a} {thing} et en achète {b} de plus. Combien de {thing} a {name} maintenant ?",
            "{a} et {b} de plus font {answer}.",
        ),
        "giving": (
            "{name} a {a} {thing} et en donne {b}. Combien de {thing} reste-t-il à {name} ?",
            "{a} - {b} = {answer}.",
        ),
        "groups": (
            "{name} a {a} boîtes avec {b} {thing} dans chaque boîte. Combien de {thing} y a-t-il en tout ?",
            "{a} boîtes de {b} font {a} fois {b}, soit {answer}.",
        ),
        "sharing": (
            "{name} partage {a} {thing} à parts égales entre {b} amis. Combien de {thing} reçoit chaque ami ?",
            "{a} divisé par {b} donne {answer}.",
        ),
        "two_steps": (
            "{name} a {a} {thing}, en trouve {b} de plus, puis en perd {lost}. Combien de {thing} a {name} maintenant ?",
            "{a} + {b} = {between}, et {between} - {lost} = {answer}.",
        ),
        "price": (
            "{name} achète {count} {thing} à {each} euros pièce et un sac à {bag} euros. Combien d'euros cela fait-il ?",
            "{count} fois {each} font {between}, et {between} + {bag} = {answer}.",
        ),
        "older": (
            "{name} a {age} ans, et {other} a {more} ans de plus. Quel âge aura {other} dans {years} ans ?",
            "{other} a maintenant {between} ans, et {between} + {years} = {answer}.",
        ),
        "missing": ("Quel nombre faut-il ajouter à {a} pour obtenir {sum} ?", "{sum} - {a} = {answer}."),
    },
)

SPANISH = StoryWords(
    ("libros", "lápices", "sellos", "cromos", "caramelos", "globos", "tomates", "limones"),
    "o",
    "Piensa brevemente y termina con «La respuesta es» y el número.",
    "La respuesta es {answer}.",
    {
        "add": ("¿Cuánto es {a} + {b}?", "{a} + {b} = {answer}."),
        "subtract": ("¿Cuánto es {a} - {b}?", "{a} - {b} = {answer}."),
        "multiply": ("¿Cuánto es {a} por {b}?", "{a} por {b} es {answer}."),
        "largest": ("¿Qué número es el mayor: {listed}?", "El mayor de ellos es {answer}."),
        "gaining": (
            "{name} tiene {a} {thing} y compra {b} más. ¿Cuántos {thing} tiene {name} ahora?",
            "{a} y {b} más son {answer}.",
        ),
        "giving": (
            "{name} tiene {a} {thing} y regala {b}. ¿Cuántos {thing} le quedan a {name}?",
            "{a} - {b} = {answer}.",
        ),
        "groups": (
            "{name} tiene {a} cajas con {b} {thing} en cada una. ¿Cuántos {thing} hay en total?",
            "{a} cajas de {b} son {a} por {b}, es decir, {answer}.",
        ),
        "sharing": (
            "{name} reparte {a} {thing} a partes iguales entre {b} amigos. ¿Cuántos {thing} recibe cada amigo?",
            "{a} dividido entre {b} es {answer}.",
        ),
        "two_steps": (
            "{name} tiene {a} {thing}, encuentra {b} más y luego pierde {lost}. ¿Cuántos {thing} tiene {name} ahora?",
            "{a} + {b} = {between}, y {between} - {lost} = {answer}.",
        ),
        "price": (
            "{name} compra {count} {thing} a {each} euros cada uno y una bolsa por {bag} euros. ¿Cuántos euros son en total?",
            "{count} por {each} es {between}, y {between} + {bag} = {answer}.",
        ),
        "older": (
            "{name} tiene {age} años, y {other} tiene {more} años más. ¿Cuántos años tendrá {other} dentro de {years} años?",
            "{other} tiene ahora {between} años, y {between} + {years} = {answer}.",
        ),
        "missing": ("¿Qué número hay que sumar a {a} para obtener {sum}?", "{sum} - {a} = {answer}."),
    },
)

GERMAN = StoryWords(
    ("Äpfel", "Bücher", "Karten", "Münzen", "Murmeln", "Stifte", "Muscheln", "Briefmarken"),
    "oder",
    "Denke kurz nach und ende mit „Die Antwort ist“ und der Zahl.",
    "Die Antwort ist {answer}.",
    {
        "add": ("Wie viel ist {a} + {b}?", "{a} + {b} = {answer}."),
        "subtract": ("Wie viel ist {a} - {b}?", "{a} - {b} = {answer}."),
        "multiply": ("Wie viel ist {a} mal {b}?", "{a} mal {b} ist {answer}."),
        "largest": ("Welche Zahl ist die größte: {listed}?", "Die größte davon ist {answer}."),
        "gaining": (
            "{name} hat {a} {thing} und kauft {b} dazu. Wie viele {thing} hat {name} jetzt?",
            "{a} und noch {b} sind {answer}.",
        ),
        "giving": (
            "{name} hat {a} {thing} und verschenkt {b}. Wie viele {thing} hat {name} noch?",
            "{a} - {b} = {answer}.",
        ),
        "groups": (
            "{name} hat {a} Schachteln. In jeder sind {b} {thing}. Wie viele {thing} sind es insgesamt?",
            "{a} Schachteln mit je {b} sind {a} mal {b}, also {answer}.",
        ),
        "sharing": (
            "{name} verteilt {a} {thing} gleichmäßig an {b} Freunde. Wie viele {thing} bekommt jeder?",
            "{a} geteilt durch {b} ist {answer}.",
        ),
        "two_steps": (
            "{name} hat {a} {thing}, findet {b} weitere und verliert dann {lost}. Wie viele {thing} hat {name} jetzt?",
            "{a} + {b} = {between}, und {between} - {lost} = {answer}.",
        ),
        "price": (
            "{name} kauft {count} {thing} für je {each} Euro und eine Tasche für {bag} Euro. Wie viel Euro sind das zusammen?",
            "{count} mal {each} ist {between}, und {between} + {bag} = {answer}.",
        ),
        "older": (
            "{name} ist {age} Jahre alt, und {other} ist {more} Jahre älter. Wie alt ist {other} in {years} Jahren?",
            "{other} ist jetzt {between}, und {between} + {years} = {answer}.",
        ),
        "missing": ("Welche Zahl muss man zu {a} addieren, um {sum} zu erhalten?", "{sum} - {a} = {answer}."),
    },
)

WORDS = {"en": ENGLISH, "fr": FRENCH, "es": SPANISH, "de": GERMAN}
