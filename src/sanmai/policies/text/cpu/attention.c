/* Causal attention of training with its norm and rotation of queries and keys, forwards and backwards. policies/text/cpu/compiled.py
 * calls it; policies/text/dense.py has the same in PyTorch.
 *
 *     q = rotate(norm(heads_q))   k = rotate(norm(heads_k))   P = softmax(scale q k^T, keys up to the query's own)   out = P v
 *
 * With a window (0: none) the keys are the query's own and the window - 1 before it; with a cap (0: none) scores s become
 * cap tanh(s / cap) before the softmax. Each of N tokens is computed once. Sequence b has the tokens index[b, 0 .. length[b]); the first start[b] of them are a
 * prompt's that an earlier sequence computes: they are keys here, not queries.
 *
 * Layout: heads (N, H + 2 K, E): queries, keys, values, and out (N, H, E), both bfloat16 (half = 1) or float (half = 0);
 * weight (2, E): of the norms of queries and keys, or NULL; cosine, sine (N, E / 2); log_total (N, H): log sum exp of each
 * query's scores; `ready`, like heads and float: queries, keys, values after norm and rotation.
 *
 * Both directions have two functions, so that threads may share the work: over tokens, and over sequences or groups of heads.
 * Each call does those from `first` to before `end`.
 */
#include "numbers.h"

#ifdef __AVX512F__
enum { LANES = 16, ROWS = 8 };
#else
enum { LANES = 8, ROWS = 4 };
#endif
enum { QUERIES = 16 };
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef struct {
    const float *weight, *cosine, *sine;
    float eps, scale, cap;
    const int64_t *index, *start, *length;
    int64_t N, B, T, H, K, E, window;
} Shape;

INLINE int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

/* C (+)= A B for ROWS rows of A and `vectors` * LANES columns of B, all of it held in registers. A[m, k] is A[m * am + k * ak]. */
INLINE void tile(int64_t inner, const float *A, int64_t am, int64_t ak, const float *B, int64_t bk, float *C, int64_t cm,
                 int vectors, int add) {
    Lanes sum[ROWS][2];
    for (int m = 0; m < ROWS; m++)
        for (int v = 0; v < vectors; v++) sum[m][v] = add ? *(const Lanes *)(C + m * cm + v * LANES) : (Lanes){0};
    for (int64_t k = 0; k < inner; k++) {
        Lanes b[2];
        for (int v = 0; v < vectors; v++) b[v] = *(const Lanes *)(B + k * bk + v * LANES);
        for (int m = 0; m < ROWS; m++)
            for (int v = 0; v < vectors; v++) sum[m][v] += A[m * am + k * ak] * b[v];
    }
    for (int m = 0; m < ROWS; m++)
        for (int v = 0; v < vectors; v++) *(Lanes *)(C + m * cm + v * LANES) = sum[m][v];
}

/* C (+)= A B; the rows are a multiple of ROWS and the columns of LANES: buffers are padded to multiples of 16. */
static void product(int64_t rows, int64_t columns, int64_t inner, const float *A, int64_t am, int64_t ak, const float *B,
                    int64_t bk, float *C, int64_t cm, int add) {
    for (int64_t n = 0; n < columns; n += 2 * LANES)
        for (int64_t m = 0; m < rows; m += ROWS) {
            const float *a = A + m * am, *b = B + n;
            float *c = C + m * cm + n;
            if (columns - n >= 2 * LANES) {
                if (add) tile(inner, a, am, ak, b, bk, c, cm, 2, 1);
                else tile(inner, a, am, ak, b, bk, c, cm, 2, 0);
            } else {
                if (add) tile(inner, a, am, ak, b, bk, c, cm, 1, 1);
                else tile(inner, a, am, ak, b, bk, c, cm, 1, 0);
            }
        }
}

INLINE float norm_scale(const void *x, float eps, int64_t E, int half) {
    float squares = 0.0f;
    for (int64_t e = 0; e < E; e++) squares += get(x, e, half) * get(x, e, half);
    return 1.0f / sqrtf(squares / (float)E + eps);
}

INLINE void prepare(const void *heads, const Shape *s, float *ready, int64_t first_token, int64_t end, int half) {
    int64_t E = s->E, rotated = s->H + s->K, all = rotated + s->K;
    ready += first_token * all * E;
    for (int64_t n = first_token; n < end; n++) {
        const float *c = s->cosine + n * (E / 2), *d = s->sine + n * (E / 2);
        for (int64_t h = 0; h < all; h++, ready += E) {
            const void *x = at(heads, (n * all + h) * E, half);
            if (h >= rotated) {
                for (int64_t e = 0; e < E; e++) ready[e] = get(x, e, half);
                continue;
            }
            const float *weight = s->weight ? s->weight + (h < s->H ? 0 : E) : 0;
            float scale = weight ? norm_scale(x, s->eps, E, half) : 1.0f;
            for (int64_t e = 0; e < E / 2; e++) {
                float first = get(x, e, half), second = get(x, e + E / 2, half);
                if (weight) first *= scale * weight[e], second *= scale * weight[e + E / 2];
                ready[e] = first * c[e] - second * d[e];
                ready[e + E / 2] = second * c[e] + first * d[e];
            }
        }
    }
}

/* The gradient of heads from that of `ready` (whose angles are turned back in place), and of the norms' weights, which is the
 * sum of `parts`, 2 E numbers for each BLOCK of tokens; the first token begins one. */
INLINE void prepare_backward(const void *heads, const Shape *s, float *d_ready, void *d_heads, float *parts,
                             int64_t first_token, int64_t end, int half) {
    int64_t E = s->E, rotated = s->H + s->K, all = rotated + s->K;
    d_ready += first_token * all * E;
    for (int64_t n = first_token; n < end; n++) {
        float *part = s->weight ? parts + n / BLOCK * 2 * E : 0;
        if (part && n % BLOCK == 0) memset(part, 0, (size_t)(2 * E) * 4);
        const float *c = s->cosine + n * (E / 2), *d = s->sine + n * (E / 2);
        for (int64_t h = 0; h < all; h++, d_ready += E) {
            int64_t i = (n * all + h) * E;
            const void *x = at(heads, i, half);
            float scale = 1.0f, along = 0.0f;
            for (int64_t e = 0; e < E / 2 && h < rotated; e++) {
                float first = d_ready[e], second = d_ready[e + E / 2];
                d_ready[e] = first * c[e] + second * d[e];
                d_ready[e + E / 2] = second * c[e] - first * d[e];
            }
            if (h >= rotated || !s->weight) {
                for (int64_t e = 0; e < E; e++) put(d_heads, i + e, d_ready[e], half);
                continue;
            }
            int64_t kind = h < s->H ? 0 : E;
            const float *weight = s->weight + kind;
            scale = norm_scale(x, s->eps, E, half);
            for (int64_t e = 0; e < E; e++) {
                float gy = d_ready[e] * (get(x, e, half) * scale);
                part[kind + e] += gy;
                along += gy * weight[e];
            }
            along /= (float)E;
            for (int64_t e = 0; e < E; e++)
                put(d_heads, i + e, scale * (d_ready[e] * weight[e] - get(x, e, half) * scale * along), half);
        }
    }
}

/* Rows of one head, one after another (tokens, padded(E)), and, where wanted, as columns (E, T padded); zeros on padding. */
static void pack(const float *ready, const Shape *s, const int64_t *index, int64_t count, int64_t rows, int64_t head,
                 float scale, float *packed, float *transposed) {
    int64_t E = s->E, width = padded(E), stride = (s->H + 2 * s->K) * E, T = padded(s->T);
    memset(packed, 0, (size_t)(rows * width) * 4);
    for (int64_t t = 0; t < count; t++)
        for (int64_t e = 0; e < E; e++) packed[t * width + e] = scale * ready[index[t] * stride + head * E + e];
    if (!transposed) return;
    for (int64_t e = 0; e < E; e++)
        for (int64_t t = 0; t < rows; t++) transposed[e * T + t] = packed[t * width + e];
}

/* The first key that a query sees. */
INLINE int64_t first_seen(const Shape *s, int64_t query) {
    return s->window > 0 && query >= s->window ? query + 1 - s->window : 0;
}

/* Scores of the queries from i on, of which the keys that they do not see are ruled out, become probabilities. */
INLINE void softmax(float *scores, const Shape *s, int64_t i, int64_t count, int64_t low, int64_t keys, float *log_total) {
    int64_t T = padded(s->T);
    for (int64_t r = 0; r < count; r++) {
        int64_t first = first_seen(s, i + r);
        float *p = scores + r * T, total = 0.0f;
        if (s->cap > 0.0f)
            for (int64_t j = first; j <= i + r; j++) p[j] = soft_cap(p[j], s->cap);
        float h = highest_of(p + first, i + r + 1 - first);
        for (int64_t j = low; j < first; j++) p[j] = -INFINITY;
        for (int64_t j = i + r + 1; j < keys; j++) p[j] = -INFINITY;
        for (int64_t j = low; j < keys; j++) total += p[j] = exp_negative(p[j] - h);
        for (int64_t j = low; j < keys; j++) p[j] /= total;
        log_total[r] = h + logf(total);
    }
}

/* Scores P' and dP of the queries from i on become P and dP' = P (dP - sum_j P dP), times the slope of the cap, which is
 * 1 - (s / cap)^2 of a capped score s; rows without a query become 0. slope: T numbers of scratch. */
INLINE void softmax_backward_rows(float *scores, float *d_scores, const Shape *s, int64_t i, int64_t count, int64_t low,
                                  int64_t keys, const float *log_total, float *restrict slope) {
    int64_t T = padded(s->T);
    for (int64_t r = 0; r < QUERIES; r++) {
        float *restrict p = scores + r * T, *restrict g = d_scores + r * T, offset = log_total[r], along = 0.0f;
        if (r >= count) {
            memset(p + low, 0, (size_t)(keys - low) * 4);
            memset(g + low, 0, (size_t)(keys - low) * 4);
            continue;
        }
        if (s->cap > 0.0f)
            for (int64_t j = low; j < keys; j++) {
                p[j] = soft_cap(p[j], s->cap);
                slope[j] = 1.0f - p[j] / s->cap * (p[j] / s->cap);
            }
        for (int64_t j = low; j < first_seen(s, i + r); j++) p[j] = -INFINITY;
        for (int64_t j = i + r + 1; j < keys; j++) p[j] = -INFINITY;
        for (int64_t j = low; j < keys; j++) {
            float d = p[j] - offset;
            p[j] = exp_negative(d > 0.0f ? 0.0f : d); /* rounding may bring it above 0 */
            along += p[j] * g[j];
        }
        for (int64_t j = low; j < keys; j++) g[j] = p[j] * (g[j] - along);
        if (s->cap > 0.0f)
            for (int64_t j = low; j < keys; j++) g[j] *= slope[j];
    }
}

INLINE void forward_as(const Shape *s, const float *ready, float *scratch, void *out, float *log_total, int64_t first, int64_t end,
                       int half) {
    int64_t H = s->H, K = s->K, E = s->E, G = H / K, T = padded(s->T), width = padded(E);
    float *k = scratch, *kT = k + T * width, *v = kT + E * T, *q = v + T * width, *o = q + QUERIES * width,
          *scores = o + QUERIES * width, total[QUERIES];
    for (int64_t b = first; b < end; b++)
        for (int64_t h = 0; h < H; h++) {
            const int64_t *index = s->index + b * s->T;
            int64_t length = s->length[b];
            if (h % G == 0) {
                pack(ready, s, index, length, padded(length), H + h / G, 1.0f, k, kT);
                pack(ready, s, index, length, padded(length), H + K + h / G, 1.0f, v, 0);
            }
            for (int64_t i = s->start[b]; i < length; i += QUERIES) {
                int64_t count = length - i < QUERIES ? length - i : QUERIES, keys = padded(i + count);
                int64_t low = first_seen(s, i) / 16 * 16; /* no query sees a key before it */
                pack(ready, s, index + i, count, QUERIES, h, s->scale, q, 0);
                product(QUERIES, keys - low, E, q, width, 1, kT + low, T, scores + low, T, 0);
                softmax(scores, s, i, count, low, keys, total);
                product(QUERIES, width, i + count - low, scores + low, T, 1, v + low * width, width, o, width, 0);
                for (int64_t r = 0; r < count; r++) {
                    int64_t row = index[i + r] * H + h;
                    log_total[row] = total[r];
                    for (int64_t e = 0; e < E; e++) put(out, row * E + e, o[r * width + e], half);
                }
            }
        }
}

/* Of the heads of key-value groups. With the scaled queries q:   dV = P^T dO   dP = dO V^T   dS = P (dP - sum_j P dP)   dq = scale dS K   dK = dS^T q */
INLINE void backward_as(const void *d_out, const Shape *s, const float *log_total, const float *ready, float *d_ready,
                        float *scratch, int64_t first, int64_t end, int half) {
    int64_t H = s->H, K = s->K, E = s->E, G = H / K, T = padded(s->T), width = padded(E), stride = (H + 2 * K) * E;
    float *k = scratch, *kT = k + T * width, *v = kT + E * T, *vT = v + T * width, *dk = vT + E * T, *dv = dk + T * width,
          *q = dv + T * width, *dq = q + QUERIES * width, *d_o = dq + QUERIES * width, *scores = d_o + QUERIES * width,
          *d_scores = scores + QUERIES * T, *slope = d_scores + QUERIES * T, total[QUERIES];
    for (int64_t b = 0; b < s->B; b++)
        for (int64_t h = first * G; h < end * G; h++) {
            const int64_t *index = s->index + b * s->T;
            int64_t length = s->length[b];
            if (h % G == 0) {
                pack(ready, s, index, length, padded(length), H + h / G, 1.0f, k, kT);
                pack(ready, s, index, length, padded(length), H + K + h / G, 1.0f, v, vT);
                memset(dk, 0, (size_t)(padded(length) * width) * 4);
                memset(dv, 0, (size_t)(padded(length) * width) * 4);
            }
            for (int64_t i = s->start[b]; i < length; i += QUERIES) {
                int64_t count = length - i < QUERIES ? length - i : QUERIES, keys = padded(i + count);
                int64_t low = first_seen(s, i) / 16 * 16;
                pack(ready, s, index + i, count, QUERIES, h, s->scale, q, 0);
                memset(d_o, 0, (size_t)(QUERIES * width) * 4);
                for (int64_t r = 0; r < count; r++) {
                    int64_t row = index[i + r] * H + h;
                    total[r] = log_total[row];
                    for (int64_t e = 0; e < E; e++) d_o[r * width + e] = get(d_out, row * E + e, half);
                }
                product(QUERIES, keys - low, E, q, width, 1, kT + low, T, scores + low, T, 0);
                product(QUERIES, keys - low, E, d_o, width, 1, vT + low, T, d_scores + low, T, 0);
                softmax_backward_rows(scores, d_scores, s, i, count, low, keys, total, slope);
                product(QUERIES, width, i + count - low, d_scores + low, T, 1, k + low * width, width, dq, width, 0);
                product(keys - low, width, QUERIES, scores + low, 1, T, d_o, width, dv + low * width, width, 1);
                product(keys - low, width, QUERIES, d_scores + low, 1, T, q, width, dk + low * width, width, 1);
                for (int64_t r = 0; r < count; r++)
                    for (int64_t e = 0; e < E; e++)
                        d_ready[index[i + r] * stride + h * E + e] = s->scale * dq[r * width + e];
            }
            if (h % G == G - 1)
                for (int64_t t = 0; t < length; t++) {
                    float *key = d_ready + index[t] * stride + (H + h / G) * E, *value = key + K * E;
                    for (int64_t e = 0; e < E; e++) key[e] += dk[t * width + e], value[e] += dv[t * width + e];
                }
        }
}

#define SHAPE {weight, cosine, sine, eps, scale, cap, index, start, length, N, B, T, H, K, E, window}
#define SHAPED \
    const float *weight, const float *cosine, const float *sine, float eps, float scale, float cap, \
    const int64_t *index, const int64_t *start, const int64_t *length, int64_t N, int64_t B, int64_t T, int64_t H, int64_t K, \
    int64_t E, int64_t window

/* Queries, keys and values of tokens. */
void attention_prepare(const void *heads, SHAPED, float *ready, int64_t half, int64_t first, int64_t end) {
    Shape shape = SHAPE;
    if (half) prepare(heads, &shape, ready, first, end, 1);
    else prepare(heads, &shape, ready, first, end, 0);
}

/* Of sequences. scratch, here and backwards, with T and E padded to multiples of 16: 6 T E + 33 T + 48 E numbers. */
void attention_forward(SHAPED, const float *ready, float *scratch, void *out, float *log_total, int64_t half, int64_t first,
                       int64_t end) {
    Shape shape = SHAPE;
    if (half) forward_as(&shape, ready, scratch, out, log_total, first, end, 1);
    else forward_as(&shape, ready, scratch, out, log_total, first, end, 0);
}

/* Of groups of heads; d_ready is 0 before. */
void attention_backward(const void *d_out, SHAPED, const float *log_total, const float *ready, float *d_ready, float *scratch,
                        int64_t half, int64_t first, int64_t end) {
    Shape shape = SHAPE;
    if (half) backward_as(d_out, &shape, log_total, ready, d_ready, scratch, first, end, 1);
    else backward_as(d_out, &shape, log_total, ready, d_ready, scratch, first, end, 0);
}

/* Of tokens. parts: NULL where weight is. */
void attention_prepare_backward(const void *heads, SHAPED, float *d_ready, void *d_heads, float *parts, int64_t half,
                                int64_t first, int64_t end) {
    Shape shape = SHAPE;
    if (half) prepare_backward(heads, &shape, d_ready, d_heads, parts, first, end, 1);
    else prepare_backward(heads, &shape, d_ready, d_heads, parts, first, end, 0);
}
