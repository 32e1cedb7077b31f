/* What the kernels share: arrays of float or bfloat16 that are computed with as float, and a vectorised exponential.
 *
 * A function that takes `half` is inlined into callers where it is a constant: 1 for bfloat16 arrays, 0 for float.
 */
#ifndef SANMAI_NUMBERS_H
#define SANMAI_NUMBERS_H
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 64 }; /* rows whose weight gradients are added up before they join the sum: rounding grows with the root */

#define INLINE static inline __attribute__((always_inline))

INLINE float get(const void *array, int64_t i, int half) {
    if (!half) return ((const float *)array)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)array)[i] << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

/* Rounds to the nearest bfloat16, ties to even, as PyTorch does; a NaN stays one. */
INLINE void put(void *array, int64_t i, float x, int half) {
    if (!half) {
        ((float *)array)[i] = x;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &x, 4);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    ((uint16_t *)array)[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
}

INLINE const void *at(const void *array, int64_t i, int half) { return (const char *)array + i * (half ? 2 : 4); }

/* e^x for x <= 0, to about 1e-7: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2]; 0 below -87. In this form it is vectorised. */
INLINE float exp_negative(float x) {
    float bounded = x < -87.0f ? -87.0f : x;
    float n = nearbyintf(bounded * 1.44269504f);
    float r = fmaf(n, -0.693359375f, bounded);
    r = fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p * r, r, r + 1.0f);
    uint32_t bits = ((uint32_t)(int32_t)n + 127u) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return x < -87.0f ? 0.0f : p * power;
}

/* cap tanh(x / cap), to about 1e-7 of the cap. */
INLINE float soft_cap(float x, float cap) {
    float e = exp_negative(-2.0f * fabsf(x) / cap), capped = cap * (1.0f - e) / (1.0f + e);
    return x < 0.0f ? -capped : capped;
}

/* The greatest of `count` numbers, in 16 strands: compilers do not reorder comparisons, because of NaN. */
INLINE float highest_of(const float *x, int64_t count) {
    float strand[16], highest = x[0];
    for (int l = 0; l < 16; l++) strand[l] = x[0];
    int64_t whole = count / 16 * 16;
    for (int64_t i = 0; i < whole; i += 16)
        for (int l = 0; l < 16; l++) strand[l] = x[i + l] > strand[l] ? x[i + l] : strand[l];
    for (int l = 0; l < 16; l++) highest = strand[l] > highest ? strand[l] : highest;
    for (int64_t i = whole; i < count; i++) highest = x[i] > highest ? x[i] : highest;
    return highest;
}
#endif
