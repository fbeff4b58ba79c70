"""Derives the polynomials of ../math.h and prints ../math_coefficients.h.

    python3 fit.py > ../math_coefficients.h        (needs mpmath)

Each polynomial is a weighted minimax fit by the exchange algorithm of Remez in 60 digits: on a reference of
n + 1 points the system  sum c_i x^i + (-1)^j E / w(x_j) = f(x_j)  is solved, the reference moves to the
extrema of the weighted error, until the levels agree. Then the coefficients are rounded to the type one
after another, lowest first, each handing its rounding error to the ones above.
The degree is the least whose weighted error is below the target, a small part of eps/2.
"""
from mpmath import mp, mpf, matrix, lu_solve, exp, expm1, log, erf, erfc, sin, cos, pi, atan, atanh, sqrt

mp.dps = 60


def round_to(x, bits):
    """x rounded to so many significand bits."""
    if x == 0:
        return mpf(0)
    e = mp.floor(mp.log(abs(x), 2))
    unit = mpf(2) ** (e - bits + 1)
    return mp.nint(x / unit) * unit


def remez(f, w, a, b, powers):
    n = len(powers)
    grid = [(a + b) / 2 - (b - a) / 2 * cos(pi * j / (30 * (n + 1))) for j in range(30 * (n + 1) + 1)]
    grid = [x for x in grid if w(x) > mpf(10) ** -8]
    fs = [f(x) for x in grid]
    ws = [w(x) for x in grid]
    ref = [round(i * (len(grid) - 1) / n) for i in range(n + 1)]
    for _ in range(40):
        A = matrix(n + 1, n + 1)
        y = matrix(n + 1, 1)
        for j, g in enumerate(ref):
            for i, p in enumerate(powers):
                A[j, i] = grid[g] ** p
            A[j, n] = (-1) ** j / ws[g]
            y[j] = fs[g]
        c = lu_solve(A, y)
        err = [ws[g] * (fs[g] - sum(c[i] * grid[g] ** p for i, p in enumerate(powers))) for g in range(len(grid))]
        # one extremum in each run of one sign
        runs, best = [], 0
        for g in range(1, len(grid)):
            if (err[g] > 0) != (err[best] > 0):
                runs.append(best)
                best = g
            elif abs(err[g]) > abs(err[best]):
                best = g
        runs.append(best)
        while len(runs) > n + 1:
            runs.pop(0 if abs(err[runs[0]]) < abs(err[runs[-1]]) else -1)
        if len(runs) < n + 1:
            break
        ref = runs
        levels = [abs(err[g]) for g in ref]
        if max(levels) < min(levels) * (1 + mpf(10) ** -3):
            break
    return [c[i] for i in range(n)], max(abs(e) for e in err)


def fit(name, f, w, a, b, target, bits):
    """c_0 + c_1 x + … with weighted error below target."""
    a, b = mpf(a), mpf(b)
    for n in range(2, 30):
        left, level = remez(f, w, a, b, list(range(n)))
        if level < target:
            break
    nodes = [(a + b) / 2 - (b - a) / 2 * cos(pi * (2 * j + 1) / (8 * n)) for j in range(4 * n)]
    done = []
    for i in range(n):
        done.append(round_to(left[i], bits))
        lost, rest = left[i] - done[i], n - 1 - i
        if lost == 0 or rest == 0:
            continue
        # least squares: what rounding took from x^i is given to the powers above
        A = matrix(len(nodes), rest)
        y = matrix(len(nodes), 1)
        for j, x in enumerate(nodes):
            y[j] = w(x) * lost * x ** i
            for q in range(rest):
                A[j, q] = w(x) * x ** (i + 1 + q)
        given = lu_solve(A, y)
        for q in range(rest):
            left[i + 1 + q] += given[q]
    grid = [a + (b - a) * j / 1000 for j in range(1001)]
    level = max(w(x) * abs(f(x) - sum(c * x ** j for j, c in enumerate(done))) for x in grid if w(x) != 0)
    return name, done, level


def scaled_tail(u):
    """erfc(x)·exp(x²)/t where u = 2t − 1 and t = 1/(1 + x/2)."""
    t = (u + 1) / 2
    x = 2 * (1 / t - 1)
    return erfc(x) * exp(x * x) / t


def table(kind, bits):
    eps = mpf(2) ** (1 - bits)
    half_ln2 = log(mpf(2)) / 2 * mpf("1.0001")
    s2 = ((sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)) ** 2 * mpf("1.0001")
    tiny = mpf(10) ** -12
    c = mpf(1)  # where the error counts most: rounding errors of the powers vanish there
    far = mpf(4) if bits == 24 else mpf(6)
    rows = [
        # exp(r) = 1 + r + r²·P(r), the error measured against expm1(r)
        fit("expm1", lambda r: (expm1(r) - r) / r ** 2 if abs(r) > tiny else mpf(1) / 2 + r / 6,
            lambda r: r ** 2 / abs(expm1(r)) if r != 0 else mpf(0), -half_ln2, half_ln2, eps / 32, bits),
        # log(1 + f) = f − s·(f − z·P(z)), s = f/(2 + f), z = s²: z·P(z) = (2·atanh(s) − 2s)/s
        fit("log", lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z if z > tiny else mpf(2) / 3 + 2 * z / 5,
            lambda z: z / 2, 0, s2, eps / 32, bits),
        # sin(2πr) = r·(2π + z·P(z)), z = r², |r| ≤ 1/8
        fit("sin2pi", lambda z: (sin(2 * pi * sqrt(z)) / sqrt(z) - 2 * pi) / z if z > tiny
            else -(2 * pi) ** 3 / 6 + (2 * pi) ** 5 / 120 * z,
            lambda z: z / 4, 0, mpf(1) / 64, eps / 32, bits),
        # cos(2πr) = 1 + z·P(z)
        fit("cos2pi", lambda z: (cos(2 * pi * sqrt(z)) - 1) / z if z > tiny
            else -(2 * pi) ** 2 / 2 + (2 * pi) ** 4 / 24 * z,
            lambda z: z, 0, mpf(1) / 64, eps / 32, bits),
        # erf(x) = x + x·P(x²), |x| ≤ 1
        fit("erf", lambda z: erf(sqrt(z)) / sqrt(z) - 1 if z > tiny else 2 / sqrt(pi) * (1 - z / 3) - 1,
            lambda z: mpf(1), 0, 1, eps / 32, bits),
        # erf(x) = 1 − exp(−P(x − c)) for 1 ≤ x ≤ far
        fit("erfc_log", lambda t: -log(erfc(t + c)), lambda t: erfc(t + c), 1 - c, far - c, eps / 32, bits),
        # log1p(e) = 2s + s·z·P(z), s = e/(2 + e), z = s², 0 ≤ e ≤ 1
        fit("log1p_unit", lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z if z > tiny else mpf(2) / 3 + 2 * z / 5,
            lambda z: z / 2, 0, mpf(1) / 9, eps / 32, bits),
        # erfc(x) = t·exp(−x²)·P(u), t = 1/(1 + x/2), u = 2t − 1, as far as it is no subnormal number
        fit("erfc_tail", scaled_tail, lambda u: 1 / scaled_tail(u), 2 / (1 + (10 if bits == 24 else 27.5) / mpf(2)) - 1, 1,
            eps / 8, bits),
        # atan(t) = t + t·z·P(z), z = t², |t| ≤ 1/2
        fit("atan", lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z if z > tiny else -mpf(1) / 3 + z / 5,
            lambda z: z, 0, mpf(1) / 4, eps / 32, bits),
    ]
    two_pi = 2 * pi
    ln2 = log(mpf(2))
    # So few bits that the product with an exponent is exact.
    high_bits = bits - (9 if bits == 24 else 12)
    ln2_high = mp.floor(ln2 * mpf(2) ** high_bits) / mpf(2) ** high_bits
    scalars = [("ln2_high", ln2_high), ("ln2_low", round_to(ln2 - ln2_high, bits)), ("log2e", round_to(1 / ln2, bits)),
               ("two_pi", round_to(two_pi, bits)), ("two_pi_low", round_to(two_pi - round_to(two_pi, bits), bits)),
               ("erfc_centre", c), ("erf_far", far),
               ("half_pi", round_to(pi / 2, bits)), ("half_pi_low", round_to(pi / 2 - round_to(pi / 2, bits), bits))]
    print("template <>\nstruct Coefficients<%s> {" % kind)
    literal = lambda x: float(x).hex() + ("f" if bits == 24 else "")
    for name, value in scalars:
        print("  static constexpr %s %s = %s;  // %s" % (kind, name, literal(value), mp.nstr(value, 12)))
    for name, coefficients, level in rows:
        print("  // weighted error 2^%s" % mp.nstr(mp.log(level, 2), 4))
        print("  static constexpr %s %s[%d] = {" % (kind, name, len(coefficients)))
        for value in coefficients:
            print("      %s,  // %s" % (literal(value), mp.nstr(value, 17)))
        print("  };")
    print("};")


print("// Coefficients of the polynomials in math.h. Made by coefficients/fit.py: do not edit.")
print("#pragma once\n\n#include \"isa.h\"\n\nnamespace flow::FLOW_ISA {\n\ntemplate <class T>\nstruct Coefficients;")
table("float", 24)
table("double", 53)
print("\n}  // namespace flow::FLOW_ISA")
