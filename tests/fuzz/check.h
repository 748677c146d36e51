// CHECK for fuzz targets: ends the process with the broken property, so that libFuzzer keeps the
// input. Properties are checked in every build type.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SYNTROPY_CHECK(property)                                                  \
  do {                                                                            \
    if (!(property)) {                                                            \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #property); \
      std::abort();                                                               \
    }                                                                             \
  } while (false)
