// What a convolutional network in training does between its matrix products: see the package's docstring.
//
// Arrays are those of tensors in channels-last format, (images, places, channels), of float or bfloat16 numbers; sums
// and coefficients are float. Channels are a multiple of 8. Sums are made per thread and added in the threads' order,
// so that the same number of threads gives the same bits. A function returns 1 where memory is lacking, else 0.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512BF16__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#include <immintrin.h>
#define CONVERTS_BF16
#endif

namespace {

struct bf16 {
    uint16_t bits;
};

template <int L> struct Lanes {
    typedef float real __attribute__((vector_size(L * 4)));
    typedef uint32_t bits __attribute__((vector_size(L * 4)));
    typedef uint16_t half __attribute__((vector_size(L * 2)));
};
template <int L> using Real = typename Lanes<L>::real;
template <int L> using Bits = typename Lanes<L>::bits;
template <int L> using Half = typename Lanes<L>::half;

template <int L> inline Real<L> widened(Half<L> halves) {
#ifdef CONVERTS_BF16  // GCC 12 makes four instructions of the line below
    if constexpr (L == 16) return (Real<L>)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)halves), 16);
#endif
    return (Real<L>)(__builtin_convertvector(halves, Bits<L>) << 16);
}

// To the nearest, ties to even; what is not a number stays so.
template <int L> inline Half<L> narrowed(Real<L> values) {
#ifdef CONVERTS_BF16
    if constexpr (L == 16) return (Half<L>)_mm512_cvtneps_pbh((__m512)values);
    if constexpr (L == 8) return (Half<L>)_mm256_cvtneps_pbh((__m256)values);
#endif
    Bits<L> bits = (Bits<L>)values, is_number = (Bits<L>)(values == values);
    Bits<L> nearest = bits + 0x7fffu + ((bits >> 16) & 1u);
    return __builtin_convertvector(((nearest & is_number) | (~is_number & 0x7fc00000u)) >> 16, Half<L>);
}

template <int L> inline Real<L> load(const float *from) {
    Real<L> values;
    memcpy(&values, from, sizeof values);
    return values;
}
template <int L> inline Real<L> load(const bf16 *from) {
    Half<L> halves;
    memcpy(&halves, from, sizeof halves);
    return widened<L>(halves);
}
inline float number(float value) { return value; }
inline float number(bf16 value) {
    const uint32_t bits = (uint32_t)value.bits << 16;
    float whole;
    memcpy(&whole, &bits, sizeof whole);
    return whole;
}
template <int L> inline void store(float *to, Real<L> values) { memcpy(to, &values, sizeof values); }
template <int L> inline void store(bf16 *to, Real<L> values) {
    Half<L> halves = narrowed<L>(values);
    memcpy(to, &halves, sizeof halves);
}
template <int L> inline void add(float *to, Real<L> values) { store<L>(to, load<L>(to) + values); }

// The values as an array of these numbers would give them back.
template <int L> inline Real<L> as(const float *, Real<L> values) { return values; }
template <int L> inline Real<L> as(const bf16 *, Real<L> values) { return widened<L>(narrowed<L>(values)); }

// The values where ReLU lets its input through; what is not a number comes through too, so that nobody overlooks it.
template <int L> inline Real<L> through(Real<L> input, Real<L> values) {
    return (Real<L>)((Bits<L>)values & ~(Bits<L>)(input <= 0));
}

template <int N> struct Width {
    static constexpr int lanes = N;
};
template <class Work> inline void per_block(long channels, Work work) {
    long at = 0;
    for (; channels - at >= 16; at += 16) work(Width<16>(), at);
    if (at < channels) work(Width<8>(), at);
}
constexpr long CHUNK = 64;  // places whose channels stay in a cache while they are gone through block by block
template <class Work> inline void per_chunk(long first, long end, Work work) {
    for (; first < end; first += CHUNK) work(first, end - first < CHUNK ? end : first + CHUNK);
}

// Zeroed floats for each thread, aligned for the widest load.
class Scratch {
    float *all;
    long count;
    int threads;

  public:
    Scratch(int threads, long wanted) : count((wanted + 15) / 16 * 16), threads(threads) {
        size_t bytes = (size_t)threads * count * sizeof(float);
        all = (float *)aligned_alloc(64, bytes);
        if (all) memset(all, 0, bytes);
    }
    ~Scratch() { free(all); }
    bool lacking() const { return !all; }
    float *of(int thread) { return all + (size_t)thread * count; }
    double total(long at) const {
        double sum = 0;
        for (int thread = 0; thread < threads; thread++) sum += all[(size_t)thread * count + at];
        return sum;
    }
};

// A batch norm that is trained.
struct Norm {
    const float *weight, *bias;
    float *running_mean, *running_var;
    float eps, momentum;
};

// Of a norm, c each: a and b of y = a x + b, the mean, and one over the standard deviation. Sums are of x less its first
// place, if that is given, and of the squares of that, over n places: of numbers that lie far from zero and close
// together, the squares of the numbers themselves would tell no variance.
template <class E> void set_coefficients(const Scratch &sums, const E *first, long n, long c, const Norm &norm, float *k) {
    for (long i = 0; i < c; i++) {
        double beyond = sums.total(i) / n, variance = sums.total(c + i) / n - beyond * beyond;
        double mean = (first && n ? number(first[i]) : 0) + beyond;
        if (variance < 0) variance = 0;
        double inverse = 1 / sqrt(variance + norm.eps);
        k[i] = norm.weight[i] * inverse;
        k[c + i] = norm.bias[i] - norm.weight[i] * inverse * mean;
        k[2 * c + i] = mean;
        k[3 * c + i] = inverse;
        norm.running_mean[i] += norm.momentum * (mean - norm.running_mean[i]);
        norm.running_var[i] += norm.momentum * (variance * n / (n > 1 ? n - 1 : 1) - norm.running_var[i]);
    }
}

// Of its gradient, c each: p, q and r of dx = p dy + q x + r. Sums are of dy and of dy x over n places.
void set_gradient_coefficients(const Scratch &sums, long n, long c, const float *k, float *pqr, float *dweight, float *dbias) {
    for (long i = 0; i < c; i++) {
        double a = k[i], mean = k[2 * c + i], inverse = k[3 * c + i];
        double db = sums.total(i), dw = (sums.total(c + i) - mean * db) * inverse;
        dweight[i] = dw;
        dbias[i] = db;
        pqr[i] = a;
        pqr[c + i] = -a * dw / n * inverse;
        pqr[2 * c + i] = -a * db / n + a * dw / n * inverse * mean;
    }
}

template <class E> void add_moments(const E *x, long n, long c, Scratch &sums, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        float *s = sums.of(t);
        per_chunk(n * t / threads, n * (t + 1) / threads, [=](long first, long end) {
            per_block(c, [=](auto width, long i) {
                constexpr int L = decltype(width)::lanes;
                const auto of_first_place = load<L>(x + i);
                Real<L> sum = {}, squares = {};
                for (long at = first * c + i; at < end * c; at += c) {
                    auto v = load<L>(x + at) - of_first_place;
                    sum += v;
                    squares += v * v;
                }
                add<L>(s + i, sum);
                add<L>(s + c + i, squares);
            });
        });
    }
}

template <bool RELU, class E> void apply(const E *x, long n, long c, const float *k, E *y, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        per_chunk(n * t / threads, n * (t + 1) / threads, [=](long first, long end) {
            per_block(c, [=](auto width, long i) {
                constexpr int L = decltype(width)::lanes;
                auto a = load<L>(k + i), b = load<L>(k + c + i);
                for (long at = first * c + i; at < end * c; at += c) {
                    auto v = a * load<L>(x + at) + b;
                    store<L>(y + at, RELU ? through<L>(v, v) : v);
                }
            });
        });
}

template <bool RELU, class E>
void add_gradient_moments(const E *dy, const E *x, long n, long c, const float *k, Scratch &sums, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        float *s = sums.of(t);
        per_chunk(n * t / threads, n * (t + 1) / threads, [=](long first, long end) {
            per_block(c, [=](auto width, long i) {
                constexpr int L = decltype(width)::lanes;
                auto a = load<L>(k + i), b = load<L>(k + c + i);
                Real<L> sum = {}, products = {};
                for (long at = first * c + i; at < end * c; at += c) {
                    auto v = load<L>(x + at), d = load<L>(dy + at);
                    if (RELU) d = through<L>(a * v + b, d);
                    sum += d;
                    products += d * v;
                }
                add<L>(s + i, sum);
                add<L>(s + c + i, products);
            });
        });
    }
}

// dx may be dy.
template <bool RELU, class E>
void apply_gradient(const E *dy, const E *x, long n, long c, const float *k, const float *pqr, E *dx, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        per_chunk(n * t / threads, n * (t + 1) / threads, [=](long first, long end) {
            per_block(c, [=](auto width, long i) {
                constexpr int L = decltype(width)::lanes;
                auto a = load<L>(k + i), b = load<L>(k + c + i);
                auto p = load<L>(pqr + i), q = load<L>(pqr + c + i), r = load<L>(pqr + 2 * c + i);
                for (long at = first * c + i; at < end * c; at += c) {
                    auto v = load<L>(x + at), d = load<L>(dy + at);
                    if (RELU) d = through<L>(a * v + b, d);
                    store<L>(dx + at, p * d + q * v + r);
                }
            });
        });
}

// Norm, and ReLU or not. k is 4 c.
template <bool RELU, class E>
int norm(const E *x, long n, long c, const Norm &of, float *k, E *y, int threads) {
    Scratch sums(threads, 2 * c);
    if (sums.lacking()) return 1;
    add_moments(x, n, c, sums, threads);
    set_coefficients(sums, x, n, c, of, k);
    apply<RELU>(x, n, c, k, y, threads);
    return 0;
}
template <bool RELU, class E>
int norm_gradient(const E *dy, const E *x, long n, long c, const float *k, E *dx, float *dweight, float *dbias, int threads) {
    Scratch sums(threads, 2 * c), pqr(1, 3 * c);
    if (sums.lacking() || pqr.lacking()) return 1;
    add_gradient_moments<RELU>(dy, x, n, c, k, sums, threads);
    set_gradient_coefficients(sums, n, c, k, pqr.of(0), dweight, dbias);
    apply_gradient<RELU>(dy, x, n, c, k, pqr.of(0), dx, threads);
    return 0;
}

// Channels of an image that are filtered at a time, so that six rows stay in the first cache.
constexpr long GROUP = 32;

// Sizes of a depthwise convolution of 3 by 3 that pads by 1.
struct Sizes {
    long images, h, w, c, stride_h, stride_w;
    long ho() const { return (h - 1) / stride_h + 1; }
    long wo() const { return (w - 1) / stride_w + 1; }
    long row() const { return (w + 2) * GROUP; }
};

// Three rows of a group of channels around an output row, and a column of zeros at each side; row r is at place r
// modulo 3. Pointers below are to a group's first channel, and `many` are its channels.
inline float *row_of(float *rows, long row, const Sizes &of) { return rows + (row + 3) % 3 * of.row(); }

// One row of the image, normalised and with ReLU; zeros where there is none.
template <class E> void fill(float *rows, long row, const E *image, const float *k, const Sizes &of, long many) {
    const long w = of.w, c = of.c;
    float *to = row_of(rows, row, of) + GROUP;
    if (row < 0 || row >= of.h) {
        memset(to, 0, w * GROUP * sizeof(float));
        return;
    }
    const E *from = image + row * w * c;
    per_block(many, [=](auto width, long i) {
        constexpr int L = decltype(width)::lanes;
        auto a = load<L>(k + i), b = load<L>(k + c + i);
        for (long p = 0; p < w; p++) {
            auto v = a * load<L>(from + p * c + i) + b;
            store<L>(to + p * GROUP + i, through<L>(v, v));
        }
    });
}

template <class E>
void filter_row(float *rows, long r, const float *taps, const Sizes &of, E *out, float *s, long many) {
    const long c = of.c, wo = of.wo(), step = of.stride_w * GROUP, first = r * of.stride_h - 1;
    const float *row0 = row_of(rows, first, of), *row1 = row_of(rows, first + 1, of), *row2 = row_of(rows, first + 2, of);
    per_block(many, [=](auto width, long i) {
        constexpr int L = decltype(width)::lanes;
        Real<L> tap[9], sum = {}, squares = {};
#pragma GCC unroll 9
        for (int j = 0; j < 9; j++) tap[j] = load<L>(taps + j * c + i);
        for (long p = 0; p < wo; p++) {
            Real<L> v0 = {}, v1 = {}, v2 = {};
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) {
                const long at = p * step + j * GROUP + i;
                v0 += tap[j] * load<L>(row0 + at);
                v1 += tap[3 + j] * load<L>(row1 + at);
                v2 += tap[6 + j] * load<L>(row2 + at);
            }
            auto v = as<L>(out, v0 + v1 + v2);
            store<L>(out + p * c + i, v);
            sum += v;
            squares += v * v;
        }
        add<L>(s + i, sum);
        add<L>(s + c + i, squares);
    });
}

// Norm, ReLU, depthwise convolution, norm, ReLU. Taps are 9 c, k is 8 c, middle what the convolution gives.
template <class E>
int depthwise(const E *x, const Sizes &of, const Norm &norm1, const float *taps, const Norm &norm2, float *k, E *middle, E *y, int threads) {
    const long c = of.c, ho = of.ho(), wo = of.wo(), places = of.h * of.w;
    Scratch before(threads, 2 * c), after(threads, 2 * c), windows(threads, 3 * of.row());
    if (before.lacking() || after.lacking() || windows.lacking()) return 1;
    add_moments(x, of.images * places, c, before, threads);
    set_coefficients(before, x, of.images * places, c, norm1, k);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (long image = of.images * t / threads; image < of.images * (t + 1) / threads; image++)
            for (long g = 0; g < c; g += GROUP) {
                const long many = c - g < GROUP ? c - g : GROUP;
                float *rows = windows.of(t);
                long next = -1;
                for (long r = 0; r < ho; r++) {
                    for (; next <= r * of.stride_h + 1; next++) fill(rows, next, x + image * places * c + g, k + g, of, many);
                    filter_row(rows, r, taps + g, of, middle + (image * ho + r) * wo * c + g, after.of(t) + g, many);
                }
            }
    set_coefficients(after, (const E *)nullptr, of.images * ho * wo, c, norm2, k + 4 * c);
    apply<true>(middle, of.images * ho * wo, c, k + 4 * c, y, threads);
    return 0;
}

// Adds what an output row gives to the gradients of the taps, and of the three rows that it saw.
template <int STEP, class E>
void spread_row(float *rows, float *gradients, long r, const float *taps, const float *k, const float *pqr, const Sizes &of,
                const E *middle, const E *dy, float *dtaps, long many) {
    const long c = of.c, wo = of.wo(), first = r * of.stride_h - 1;
    const float *row0 = row_of(rows, first, of), *row1 = row_of(rows, first + 1, of), *row2 = row_of(rows, first + 2, of);
    float *into0 = row_of(gradients, first, of), *into1 = row_of(gradients, first + 1, of), *into2 = row_of(gradients, first + 2, of);
    per_block(many, [=](auto width, long i) {
        constexpr int L = decltype(width)::lanes;
        const auto a = load<L>(k + i), b = load<L>(k + c + i);
        const auto p = load<L>(pqr + i), q = load<L>(pqr + c + i), s = load<L>(pqr + 2 * c + i);
        const float *tap = taps + i;  // read again at every place: there are not registers enough
        Real<L> dtap[9] = {}, sums[9] = {};  // sums of the three columns that are still added to, by row
        for (long place = 0; place < wo; place++) {
            auto v = load<L>(middle + place * c + i), d = load<L>(dy + place * c + i);
            d = p * through<L>(a * v + b, d) + q * v + s;
            const long at = place * STEP * GROUP + i;
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) {
                dtap[j] += d * load<L>(row0 + at + j * GROUP);
                dtap[3 + j] += d * load<L>(row1 + at + j * GROUP);
                dtap[6 + j] += d * load<L>(row2 + at + j * GROUP);
                sums[j] += d * load<L>(tap + j * c);
                sums[3 + j] += d * load<L>(tap + (3 + j) * c);
                sums[6 + j] += d * load<L>(tap + (6 + j) * c);
            }
#pragma GCC unroll 2
            for (int j = 0; j < STEP; j++) {  // columns that no later place sees
                add<L>(into0 + at + j * GROUP, sums[j]);
                add<L>(into1 + at + j * GROUP, sums[3 + j]);
                add<L>(into2 + at + j * GROUP, sums[6 + j]);
            }
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) {
                const bool stays = j + STEP < 3;
                sums[j] = stays ? sums[(j + STEP) % 3] : Real<L>{};
                sums[3 + j] = stays ? sums[3 + (j + STEP) % 3] : Real<L>{};
                sums[6 + j] = stays ? sums[6 + (j + STEP) % 3] : Real<L>{};
            }
        }
        const long at = wo * STEP * GROUP + i;
#pragma GCC unroll 2
        for (int j = 0; j < 3 - STEP; j++) {
            add<L>(into0 + at + j * GROUP, sums[j]);
            add<L>(into1 + at + j * GROUP, sums[3 + j]);
            add<L>(into2 + at + j * GROUP, sums[6 + j]);
        }
#pragma GCC unroll 9
        for (int j = 0; j < 9; j++) add<L>(dtaps + j * c + i, dtap[j]);
    });
}

// Writes the gradient of a row that no later output row sees, before the first norm, and adds up its moments.
template <class E>
void finish_row(float *rows, float *gradients, long row, const Sizes &of, const E *x, E *dx, float *s, long many) {
    if (row < 0 || row >= of.h) return;
    const long w = of.w, c = of.c;
    const float *value = row_of(rows, row, of) + GROUP, *gradient = row_of(gradients, row, of) + GROUP;
    const E *from = x + row * w * c;
    E *to = dx + row * w * c;
    per_block(many, [=](auto width, long i) {
        constexpr int L = decltype(width)::lanes;
        Real<L> sum = {}, products = {};
        for (long p = 0; p < w; p++) {
            auto d = as<L>(to, through<L>(load<L>(value + p * GROUP + i), load<L>(gradient + p * GROUP + i)));
            store<L>(to + p * c + i, d);
            sum += d;
            products += d * load<L>(from + p * c + i);
        }
        add<L>(s + i, sum);
        add<L>(s + c + i, products);
    });
}

// dtaps is 9 c; dnorms of weight and bias of the first norm and of the second, 4 c.
template <class E>
int depthwise_gradient(const E *dy, const E *x, const E *middle, const Sizes &of, const float *taps, const float *k, E *dx, float *dtaps,
                       float *dnorms, int threads) {
    const long c = of.c, ho = of.ho(), wo = of.wo(), places = of.h * of.w;
    Scratch after(threads, 2 * c), before(threads, 2 * c), pqr(1, 3 * c), windows(threads, 6 * of.row());
    Scratch of_taps(threads, 9 * c);
    if (after.lacking() || before.lacking() || pqr.lacking() || windows.lacking() || of_taps.lacking()) return 1;
    add_gradient_moments<true>(dy, middle, of.images * ho * wo, c, k + 4 * c, after, threads);
    set_gradient_coefficients(after, of.images * ho * wo, c, k + 4 * c, pqr.of(0), dnorms + 2 * c, dnorms + 3 * c);
    auto spread = of.stride_w == 1 ? spread_row<1, E> : spread_row<2, E>;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (long image = of.images * t / threads; image < of.images * (t + 1) / threads; image++)
            for (long g = 0; g < c; g += GROUP) {
                const long many = c - g < GROUP ? c - g : GROUP;
                float *rows = windows.of(t), *gradients = rows + 3 * of.row(), *s = before.of(t) + g;
                const E *from = x + image * places * c + g;
                E *to = dx + image * places * c + g;
                long next = -1;
                for (long r = 0; r < ho; r++) {
                    for (; next <= r * of.stride_h + 1; next++) {
                        finish_row(rows, gradients, next - 3, of, from, to, s, many);
                        fill(rows, next, from, k + g, of, many);
                        memset(row_of(gradients, next, of), 0, of.row() * sizeof(float));
                    }
                    const long at = (image * ho + r) * wo * c + g;
                    spread(rows, gradients, r, taps + g, k + 4 * c + g, pqr.of(0) + g, of, middle + at, dy + at, of_taps.of(t) + g, many);
                }
                for (long row = next - 3; row < next; row++) finish_row(rows, gradients, row, of, from, to, s, many);
            }
    for (long i = 0; i < 9 * c; i++) dtaps[i] = of_taps.total(i);
    set_gradient_coefficients(before, of.images * places, c, k, pqr.of(0), dnorms, dnorms + c);
    apply_gradient<false>(dx, x, of.images * places, c, k, pqr.of(0), dx, threads);
    return 0;
}

// Of each channel of an image, what global response normalisation multiplies it by.
inline float set_factors(const float *responses, long c, float gamma, float *factors) {
    float mean = 0;
    for (long i = 0; i < c; i++) mean += responses[i];
    mean = mean / c + 1e-6f;
    for (long i = 0; i < c; i++) factors[i] = 1 + gamma * responses[i] / mean;
    return mean;
}

// Norm, plus a shortcut if there is one, global response normalisation if there is one (gamma and beta, one number
// each), ReLU. v is what the response is of; responses are (images, c); k is 4 c.
template <class E>
int residual(const E *x, const E *shortcut, long images, long n, long c, const Norm &of, const float *gamma, const float *beta, float *k,
             float *responses, E *v, E *y, int threads) {
    Scratch sums(threads, 2 * c), factors(threads, c);
    if (sums.lacking() || factors.lacking()) return 1;
    add_moments(x, images * n, c, sums, threads);
    set_coefficients(sums, x, images * n, c, of, k);
    const float g = gamma ? *gamma : 0, shift = beta ? *beta : 0;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (long image = images * t / threads; image < images * (t + 1) / threads; image++) {
            float *response = responses + image * c, *factor = factors.of(t);
            memset(response, 0, c * sizeof(float));
            per_chunk(image * n, (image + 1) * n, [=](long first, long end) {
                per_block(c, [=](auto width, long i) {
                    constexpr int L = decltype(width)::lanes;
                    auto a = load<L>(k + i), b = load<L>(k + c + i);
                    Real<L> squares = {};
                    for (long at = first * c + i; at < end * c; at += c) {
                        auto value = a * load<L>(x + at) + b;
                        if (shortcut) value += load<L>(shortcut + at);
                        value = as<L>(v, value);
                        store<L>(v + at, value);
                        squares += value * value;
                    }
                    add<L>(response + i, squares);
                });
            });
            for (long i = 0; i < c; i++) response[i] = sqrtf(response[i]);
            set_factors(response, c, g, factor);
            per_chunk(image * n, (image + 1) * n, [=](long first, long end) {
                per_block(c, [=](auto width, long i) {
                    constexpr int L = decltype(width)::lanes;
                    auto f = load<L>(factor + i);
                    for (long at = first * c + i; at < end * c; at += c) {
                        auto value = f * load<L>(v + at) + shift;
                        store<L>(y + at, through<L>(value, value));
                    }
                });
            });
        }
    return 0;
}

// dv is also the shortcut's gradient; dresponse gamma's and beta's.
template <class E>
int residual_gradient(const E *dy, const E *x, const E *v, long images, long n, long c, const float *k, const float *gamma,
                      const float *beta, const float *responses, E *dv, E *dx, float *dweight, float *dbias, float *dresponse, int threads) {
    Scratch sums(threads, 2 * c), space(threads, 4 * c), of_response(threads, 2), pqr(1, 3 * c);
    if (sums.lacking() || space.lacking() || of_response.lacking() || pqr.lacking()) return 1;
    const float g = gamma ? *gamma : 0, shift = beta ? *beta : 0;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (long image = images * t / threads; image < images * (t + 1) / threads; image++) {
            const float *response = responses + image * c;
            float *s = sums.of(t), *factor = space.of(t), *dfactor = factor + c, *dshift = dfactor + c, *by_response = dshift + c;
            const float mean = set_factors(response, c, g, factor);
            memset(dfactor, 0, 2 * c * sizeof(float));
            per_chunk(image * n, (image + 1) * n, [=](long first, long end) {
                per_block(c, [=](auto width, long i) {
                    constexpr int L = decltype(width)::lanes;
                    auto f = load<L>(factor + i);
                    Real<L> products = {}, sum = {};
                    for (long at = first * c + i; at < end * c; at += c) {
                        auto value = load<L>(v + at), d = through<L>(f * value + shift, load<L>(dy + at));
                        products += d * value;
                        sum += d;
                    }
                    add<L>(dfactor + i, products);
                    add<L>(dshift + i, sum);
                });
            });
            double weighted = 0, dbeta = 0;
            for (long i = 0; i < c; i++) {
                weighted += dfactor[i] * response[i];
                dbeta += dshift[i];
            }
            of_response.of(t)[0] += weighted / mean;
            of_response.of(t)[1] += dbeta;
            for (long i = 0; i < c; i++) {
                double dresponse_i = g * (dfactor[i] / mean - weighted / ((double)mean * mean * c));
                by_response[i] = response[i] > 0 ? dresponse_i / response[i] : 0;
            }
            per_chunk(image * n, (image + 1) * n, [=](long first, long end) {
                per_block(c, [=](auto width, long i) {
                    constexpr int L = decltype(width)::lanes;
                    auto f = load<L>(factor + i), e = load<L>(by_response + i);
                    Real<L> sum = {}, products = {};
                    for (long at = first * c + i; at < end * c; at += c) {
                        auto value = load<L>(v + at), d = through<L>(f * value + shift, load<L>(dy + at));
                        d = as<L>(dv, f * d + e * value);
                        store<L>(dv + at, d);
                        sum += d;
                        products += d * load<L>(x + at);
                    }
                    add<L>(s + i, sum);
                    add<L>(s + c + i, products);
                });
            });
        }
    dresponse[0] = of_response.total(0);
    dresponse[1] = of_response.total(1);
    set_gradient_coefficients(sums, images * n, c, k, pqr.of(0), dweight, dbias);
    apply_gradient<false>(dv, x, images * n, c, k, pqr.of(0), dx, threads);
    return 0;
}

// Mean of 3 by 3 places around each, of which those outside are zeros; or, backwards, what each place is part of.
template <class E> void average(const E *x, const Sizes &of, E *y, bool backwards, int threads) {
    const long c = of.c, h = of.h, w = of.w, ho = of.ho(), wo = of.wo();
    const long rows = backwards ? h : ho, columns = backwards ? w : wo;
    auto first = [](long place, long stride, bool back) { return back ? (place + stride - 2) / stride : place * stride - 1; };
    auto last = [](long place, long stride, bool back) { return back ? (place + 1) / stride : place * stride + 1; };
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++)
        for (long at = of.images * rows * t / threads; at < of.images * rows * (t + 1) / threads; at++) {
            const long image = at / rows, row = at % rows, most_rows = backwards ? ho : h, most_columns = backwards ? wo : w;
            long r0 = first(row, of.stride_h, backwards), r1 = last(row, of.stride_h, backwards);
            if (r0 < 0) r0 = 0;
            if (r1 >= most_rows) r1 = most_rows - 1;
            for (long column = 0; column < columns; column++) {
                long c0 = first(column, of.stride_w, backwards), c1 = last(column, of.stride_w, backwards);
                if (c0 < 0) c0 = 0;
                if (c1 >= most_columns) c1 = most_columns - 1;
                per_block(c, [=](auto width, long i) {
                    constexpr int L = decltype(width)::lanes;
                    Real<L> sum = {};
                    for (long r = r0; r <= r1; r++)
                        for (long p = c0; p <= c1; p++) sum += load<L>(x + ((image * most_rows + r) * most_columns + p) * c + i);
                    store<L>(y + (at * columns + column) * c + i, sum / 9);
                });
            }
        }
}

}  // namespace

#define EXPORTED(E, SUFFIX)                                                                                                           \
    extern "C" int norm_##SUFFIX(const E *x, long n, long c, const Norm *of, int relu, float *k, E *y, int threads) {                  \
        return relu ? norm<true>(x, n, c, *of, k, y, threads) : norm<false>(x, n, c, *of, k, y, threads);                              \
    }                                                                                                                                  \
    extern "C" int norm_gradient_##SUFFIX(const E *dy, const E *x, long n, long c, const float *k, int relu, E *dx, float *dweight,    \
                                          float *dbias, int threads) {                                                                 \
        return relu ? norm_gradient<true>(dy, x, n, c, k, dx, dweight, dbias, threads)                                                 \
                    : norm_gradient<false>(dy, x, n, c, k, dx, dweight, dbias, threads);                                               \
    }                                                                                                                                  \
    extern "C" int depthwise_##SUFFIX(const E *x, const Sizes *of, const Norm *norm1, const float *taps, const Norm *norm2, float *k,  \
                                      E *middle, E *y, int threads) {                                                                  \
        return depthwise(x, *of, *norm1, taps, *norm2, k, middle, y, threads);                                                         \
    }                                                                                                                                  \
    extern "C" int depthwise_gradient_##SUFFIX(const E *dy, const E *x, const E *middle, const Sizes *of, const float *taps,           \
                                               const float *k, E *dx, float *dtaps, float *dnorms, int threads) {                      \
        return depthwise_gradient(dy, x, middle, *of, taps, k, dx, dtaps, dnorms, threads);                                            \
    }                                                                                                                                  \
    extern "C" int residual_##SUFFIX(const E *x, const E *shortcut, long images, long n, long c, const Norm *of, const float *gamma,   \
                                     const float *beta, float *k, float *responses, E *v, E *y, int threads) {                         \
        return residual(x, shortcut, images, n, c, *of, gamma, beta, k, responses, v, y, threads);                                     \
    }                                                                                                                                  \
    extern "C" int residual_gradient_##SUFFIX(const E *dy, const E *x, const E *v, long images, long n, long c, const float *k,        \
                                              const float *gamma, const float *beta, const float *responses, E *dv, E *dx,             \
                                              float *dweight, float *dbias, float *dresponse, int threads) {                           \
        return residual_gradient(dy, x, v, images, n, c, k, gamma, beta, responses, dv, dx, dweight, dbias, dresponse, threads);       \
    }
#define EXPORTED_AVERAGE(E, SUFFIX)                                                              \
    extern "C" int average_##SUFFIX(const E *x, const Sizes *of, E *y, int backwards, int threads) { \
        average(x, *of, y, backwards, threads);                                                  \
        return 0;                                                                                \
    }
EXPORTED_AVERAGE(float, float32)
EXPORTED_AVERAGE(bf16, bfloat16)
EXPORTED(float, float32)
EXPORTED(bf16, bfloat16)
