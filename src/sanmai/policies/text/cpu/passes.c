/* The elementwise passes of training, forwards and backwards, each over memory once: residual addition with RMSNorm, SwiGLU,
 * and the softmax of the logits. policies/text/cpu/compiled.py calls them; policies/text/cpu/kernels.py and losses/tokens.py have the same in PyTorch.
 *
 * Arrays are contiguous: x, sums and weights float; those called void bfloat16 (half = 1) or float (half = 0).
 * N rows, D width, F feed-forward width, V vocabulary. Each call computes the rows from `first` to before `end`, so that threads
 * may share them; where a sum goes over rows, each BLOCK of them has a part of its own.
 */
#include "numbers.h"

/* sum = x + update;  scale = 1 / sqrt(mean(sum^2) + eps);  normed = sum * scale * weight.   sum = x where update is NULL. */
INLINE void norm_forward_as(const float *x, const void *update, const float *weight, float eps, int64_t D,
                            float *sum, void *normed, float *scale, int64_t first, int64_t end, int half) {
    for (int64_t n = first; n < end; n++) {
        float squares = 0.0f;
        const float *row = x + n * D;
        if (update) {
            for (int64_t d = 0; d < D; d++) sum[n * D + d] = row[d] + get(update, n * D + d, half);
            row = sum + n * D;
        }
        for (int64_t d = 0; d < D; d++) squares += row[d] * row[d];
        float s = scale[n] = 1.0f / sqrtf(squares / (float)D + eps);
        for (int64_t d = 0; d < D; d++) put(normed, n * D + d, row[d] * s * weight[d], half);
    }
}

void norm_forward(const float *x, const void *update, const float *weight, float eps, int64_t D, float *sum, void *normed,
                  float *scale, int64_t half, int64_t first, int64_t end) {
    if (half) norm_forward_as(x, update, weight, eps, D, sum, normed, scale, first, end, 1);
    else norm_forward_as(x, update, weight, eps, D, sum, normed, scale, first, end, 0);
}

/* With y = x scale (x here is the sum of the forward pass) and g the gradient of normed:
 *     d_weight = sum_n g y      d_x = d_sum + scale (g weight - y mean(g weight y))      d_update = d_x, rounded
 * d_sum, d_update: NULL where there is none. d_weight is the sum of `parts`, D numbers for each BLOCK of rows; `first` begins one. */
INLINE void norm_backward_as(const float *d_sum, const void *d_normed, const float *x, const float *weight, const float *scale,
                             int64_t D, float *d_x, void *d_update, float *parts, int64_t first, int64_t end, int half) {
    for (int64_t n = first; n < end; n++) {
        float *part = parts + n / BLOCK * D;
        if (n % BLOCK == 0) memset(part, 0, (size_t)D * 4);
        const float *row = x + n * D;
        float s = scale[n], along = 0.0f;
        for (int64_t d = 0; d < D; d++) {
            float gy = get(d_normed, n * D + d, half) * (row[d] * s);
            part[d] += gy;
            along += gy * weight[d];
        }
        along /= (float)D;
        for (int64_t d = 0; d < D; d++)
            d_x[n * D + d] = s * (get(d_normed, n * D + d, half) * weight[d] - row[d] * s * along);
        if (d_sum)
            for (int64_t d = 0; d < D; d++) d_x[n * D + d] += d_sum[n * D + d];
        if (d_update)
            for (int64_t d = 0; d < D; d++) put(d_update, n * D + d, d_x[n * D + d], half);
    }
}

void norm_backward(const float *d_sum, const void *d_normed, const float *x, const float *weight, const float *scale, int64_t D,
                   float *d_x, void *d_update, float *parts, int64_t half, int64_t first, int64_t end) {
    if (half) norm_backward_as(d_sum, d_normed, x, weight, scale, D, d_x, d_update, parts, first, end, 1);
    else norm_backward_as(d_sum, d_normed, x, weight, scale, D, d_x, d_update, parts, first, end, 0);
}

/* sum_d = sum_m parts_md, in the order of m. */
void add_parts(const float *parts, int64_t M, int64_t D, float *sum) {
    memset(sum, 0, (size_t)D * 4);
    for (int64_t m = 0; m < M; m++)
        for (int64_t d = 0; d < D; d++) sum[d] += parts[m * D + d];
}

INLINE float sigmoid(float x) {
    float e = exp_negative(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* out = gate sigmoid(gate) up; gate and up are the halves of a row of gate_up (N, 2 F). */
INLINE void swiglu_forward_as(const void *gate_up, int64_t F, void *out, int64_t first, int64_t end, int half) {
    for (int64_t n = first; n < end; n++)
        for (int64_t f = 0; f < F; f++) {
            float gate = get(gate_up, 2 * n * F + f, half), up = get(gate_up, 2 * n * F + F + f, half);
            put(out, n * F + f, gate * sigmoid(gate) * up, half);
        }
}

void swiglu_forward(const void *gate_up, int64_t F, void *out, int64_t half, int64_t first, int64_t end) {
    if (half) swiglu_forward_as(gate_up, F, out, first, end, 1);
    else swiglu_forward_as(gate_up, F, out, first, end, 0);
}

/* With s = sigmoid(gate):  d_gate = g up (s + gate s (1 - s))      d_up = g gate s */
INLINE void swiglu_backward_as(const void *grad, const void *gate_up, int64_t F, void *d_gate_up, int64_t first, int64_t end,
                               int half) {
    for (int64_t n = first; n < end; n++)
        for (int64_t f = 0; f < F; f++) {
            int64_t i = 2 * n * F + f;
            float gate = get(gate_up, i, half), up = get(gate_up, i + F, half), g = get(grad, n * F + f, half);
            float s = sigmoid(gate);
            put(d_gate_up, i, g * up * (s + gate * s * (1.0f - s)), half);
            put(d_gate_up, i + F, g * gate * s, half);
        }
}

void swiglu_backward(const void *grad, const void *gate_up, int64_t F, void *d_gate_up, int64_t half, int64_t first,
                     int64_t end) {
    if (half) swiglu_backward_as(grad, gate_up, F, d_gate_up, first, end, 1);
    else swiglu_backward_as(grad, gate_up, F, d_gate_up, first, end, 0);
}

/* With z = (logits - max logits) / temperature and S = sum_v exp(z_v):
 *     logp = z[target] - log S      entropy = log S - sum_v exp(z_v) z_v / S
 * The maximum is taken off first and alone: log-probs of large logits would lose their digits. row: V numbers of scratch. */
INLINE void softmax_forward_as(const void *logits, const int64_t *target, float temperature, int64_t V, float *logp,
                               float *entropy, float *highest, float *sums, float *row, int64_t first, int64_t end, int half) {
    for (int64_t n = first; n < end; n++) {
        for (int64_t v = 0; v < V; v++) row[v] = get(logits, n * V + v, half);
        float h = highest_of(row, V), sum = 0.0f, weighted = 0.0f;
        for (int64_t v = 0; v < V; v++) {
            float z = row[v] = (row[v] - h) / temperature, e = exp_negative(z);
            sum += e;
            weighted += e * (z < -100.0f ? -100.0f : z); /* e is 0 there, and 0 * -inf would not be */
        }
        highest[n] = h;
        sums[n] = sum;
        logp[n] = row[target[n]] - logf(sum);
        entropy[n] = logf(sum) - weighted / sum;
    }
}

void softmax_forward(const void *logits, const int64_t *target, float temperature, int64_t V, float *logp, float *entropy,
                     float *highest, float *sums, float *row, int64_t half, int64_t first, int64_t end) {
    if (half) softmax_forward_as(logits, target, temperature, V, logp, entropy, highest, sums, row, first, end, 1);
    else softmax_forward_as(logits, target, temperature, V, logp, entropy, highest, sums, row, first, end, 0);
}

/* d_logits_v = grad ([v = target] - p_v) / temperature, p_v = exp(z_v) / S, of the log-prob alone. */
INLINE void softmax_backward_as(const float *grad, const void *logits, const int64_t *target, float temperature,
                                const float *highest, const float *sums, int64_t V, void *d_logits, int64_t first, int64_t end,
                                int half) {
    for (int64_t n = first; n < end; n++) {
        float g = grad[n] / temperature, share = g / sums[n], h = highest[n];
        for (int64_t v = 0; v < V; v++)
            put(d_logits, n * V + v, -share * exp_negative((get(logits, n * V + v, half) - h) / temperature), half);
        int64_t i = n * V + target[n];
        put(d_logits, i, g - share * exp_negative((get(logits, i, half) - h) / temperature), half);
    }
}

void softmax_backward(const float *grad, const void *logits, const int64_t *target, float temperature, const float *highest,
                      const float *sums, int64_t V, void *d_logits, int64_t half, int64_t first, int64_t end) {
    if (half) softmax_backward_as(grad, logits, target, temperature, highest, sums, V, d_logits, first, end, 1);
    else softmax_backward_as(grad, logits, target, temperature, highest, sums, V, d_logits, first, end, 0);
}
