// The functions of feed-forward units; kinds are numbered as ActivationKind.
#pragma once

struct Activation {
  int kind;
  float p, n, beta, epsilon, alpha, limit;
  int unused;
};

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ __forceinline__ float activate(const Activation& a, float x) {
  switch (a.kind) {
    case 0: return x * sigmoid(x);
    case 1: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case 2: return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case 3: return x > 0 ? x * x : 0.0f;
    case 4: return x > 0 ? a.p * x * x + a.beta * x : (expm1f(fminf(x, a.epsilon)) - x) * a.n + a.beta * x;
    case 5: return sigmoid(x);
    case 6: return x;
    default: {
      const float y = fminf(x, a.limit);
      return y * sigmoid(a.alpha * y);
    }
  }
}

// What a gated unit multiplies the function by.
__device__ __forceinline__ float gated_up(const Activation& a, float up) { return a.kind == 7 ? fminf(fmaxf(up, -a.limit), a.limit) + 1.0f : up; }
