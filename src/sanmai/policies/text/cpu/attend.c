/* One token of every slot through the attention of one layer: normalise and rotate its queries and keys, append its keys and
 * values to the cache, attend. What policies/text/decoder.py does with PyTorch operations, in one pass that reads only the tokens
 * that a slot has. Plain C, compiled where a compiler is found (policies/text/cpu/native.py).
 *
 * With a window the token sees itself and the window - 1 before it, with 0 all; with a cap scores s become cap tanh(s / cap).
 *
 * Layout: heads (slots, H + 2 K, E) are queries, keys, values; caches (slots, capacity, K, E); angles (positions, E / 2).
 */
#include "numbers.h"

enum { SUMS = 64 }; /* that stay in registers while the tokens are gone through */

INLINE void norm_and_rotate(const float *x, const float *weight, float eps, const float *cos, const float *sin, int64_t E,
                            float *out) {
    float scale = 1.0f;
    if (weight) {
        float squares = 0.0f;
        for (int64_t e = 0; e < E; e++) squares += x[e] * x[e];
        scale = 1.0f / sqrtf(squares / (float)E + eps);
    }
    int64_t half = E / 2;
    for (int64_t e = 0; e < half; e++) {
        float first = x[e] * scale * (weight ? weight[e] : 1.0f);
        float second = x[e + half] * scale * (weight ? weight[e + half] : 1.0f);
        out[e] = first * cos[e] - second * sin[e];
        out[e + half] = second * cos[e] + first * sin[e];
    }
}

INLINE void attend_one(const float *heads, const float *weight, float eps, const float *cos, const float *sin,
    const int64_t *length, float *keys, float *values, int64_t slots, int64_t capacity, int64_t H, int64_t K, int64_t E,
    float scale, int64_t window, float cap, float *scratch, float *out) {
    int64_t G = H / K, width = K * E;
    float *query = scratch, *score = scratch + H * E;
    for (int64_t s = 0; s < slots; s++) {
        const float *q = heads + s * (H + 2 * K) * E, *k = q + H * E, *v = k + width;
        const float *c = cos + length[s] * (E / 2), *d = sin + length[s] * (E / 2);
        float *slot_keys = keys + s * capacity * width, *slot_values = values + s * capacity * width;
        int64_t T = length[s] + 1, first = window > 0 && T > window ? T - window : 0;
        for (int64_t h = 0; h < H; h++) norm_and_rotate(q + h * E, weight ? weight + h * E : 0, eps, c, d, E, query + h * E);
        for (int64_t h = 0; h < K; h++)
            norm_and_rotate(k + h * E, weight ? weight + (H + h) * E : 0, eps, c, d, E, slot_keys + (T - 1) * width + h * E);
        memcpy(slot_values + (T - 1) * width, v, (size_t)width * 4);

        for (int64_t h = 0; h < H; h++) {
            const float *a = query + h * E, *b = slot_keys + first * width + h / G * E;
            for (int64_t t = first; t < T; t++, b += width) {
                float sum = 0.0f;
                for (int64_t e = 0; e < E; e++) sum += a[e] * b[e];
                score[h * capacity + t] = sum * scale;
            }
        }
        for (int64_t h = 0; h < H; h++) {
            float *p = score + h * capacity, total = 0.0f;
            if (cap > 0.0f)
                for (int64_t t = first; t < T; t++) p[t] = soft_cap(p[t], cap);
            float highest = p[first];
            for (int64_t t = first + 1; t < T; t++) highest = p[t] > highest ? p[t] : highest;
            for (int64_t t = first; t < T; t++) {
                p[t] = exp_negative(p[t] - highest);
                total += p[t];
            }
            for (int64_t t = first; t < T; t++) p[t] /= total;
        }
        for (int64_t h = 0; h < H; h++)
            for (int64_t part = 0; part < E; part += SUMS) {
                const float *b = slot_values + first * width + h / G * E + part, *p = score + h * capacity;
                int64_t more = E - part < SUMS ? E - part : SUMS;
                float sum[SUMS] = {0.0f};
                for (int64_t t = first; t < T; t++, b += width)
                    for (int64_t e = 0; e < more; e++) sum[e] += p[t] * b[e];
                memcpy(out + (s * H + h) * E + part, sum, (size_t)more * 4);
            }
    }
}

/* weight: (H + K, E) or NULL; length: tokens of each slot before this one; out: (slots, H, E); scratch: H E + H capacity. */
void attend(const float *heads, const float *weight, float eps, const float *cos, const float *sin, const int64_t *length,
            float *keys, float *values, int64_t slots, int64_t capacity, int64_t H, int64_t K, int64_t E, float scale,
            int64_t window, float cap, float *scratch, float *out) {
#define ATTEND(width) \
    attend_one(heads, weight, eps, cos, sin, length, keys, values, slots, capacity, H, K, width, scale, window, cap, scratch, out)
    switch (E) { /* known to the compiler, the usual head widths are unrolled */
        case 32: ATTEND(32); break;
        case 64: ATTEND(64); break;
        case 128: ATTEND(128); break;
        default: ATTEND(E);
    }
}
