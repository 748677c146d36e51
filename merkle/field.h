// The field GF(2^64): numbers of 64 bits that can be added, multiplied and divided, in which the
// sums of the trees are kept.
//
// Addition is exclusive or, so every number is its own negative: what is added twice is gone.
// Multiplication is that of polynomials over GF(2), modulo x^64 + x^4 + x^3 + x + 1, which is
// irreducible (Seroussi, "Table of Low-Weight Binary Irreducible Polynomials", HP Labs HPL-98-135,
// 1998). Bit i of a number is the coefficient of x^i.
//   Check: 2 * 2^63 = 1Bh;  FFFFFFFFFFFFFFFFh * FFFFFFFFFFFFFFFFh = 5555555555555513h.
//
// With a processor that multiplies without carries (x86's PCLMULQDQ) a product takes some
// nanoseconds, without one some ten times as long.
//
// Thread safety: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace syntropy::field {

uint64_t multiply(uint64_t a, uint64_t b);
/// The number whose product with `a` is 1. `a` isn't 0.
uint64_t invert(uint64_t a);

/// The number whose square is `a`.
uint64_t square_root(uint64_t a);
/// A number whose cube is `a`, which isn't 0; there are three, or none for two thirds of all `a`.
std::optional<uint64_t> cube_root(uint64_t a);

/// A number y with y^2 + y = c (an Artin-Schreier equation; y + 1 is the other). There is none for
/// half of all c.
std::optional<uint64_t> artin_schreier(uint64_t c);

/// a, a^3, a^5, ...: the first out.size() odd powers.
void odd_powers(uint64_t a, std::span<uint64_t> out);

/// The ways to multiply, for tests: what multiply() uses, and the one that needs no instruction.
bool is_accelerated();
uint64_t multiply_portably(uint64_t a, uint64_t b);

}  // namespace syntropy::field
