"""Untrusted Python programs: run in a bounded process (run.py), graded by tests that they cannot reach (grade.py).

Four processes take part. The *parent* is ours. It starts a *judge* (a bare interpreter), which gives up every privilege and
moves into namespaces of its own before it reads any of the program. The judge forks a *warden*, the first process of a new PID
namespace, and the warden forks the *program*. When the warden dies the kernel kills everything in that namespace, daemons that
left their session included. With tests, the judge then reads them and calls the program's functions over two pipes.
"""

VERSION = 1
"""Of the verdicts: raised by hand when a program is graded otherwise than before."""
