# Headers that are parsed once for all. They save time and nothing else: a file includes what it
# uses, and the debug preset, which builds without them (CMAKE_DISABLE_PRECOMPILE_HEADERS), notices
# when one doesn't. None is ours, or every file would depend on it.
#
#   syntropy_precompiled(<name> [HEADERS ...] [LINK ...])
#
# declares a set: the standard headers and HEADERS. The targets that use it need the options and
# definitions that LINK brings; GCC checks the definitions alone, and crashes at another -O.

function(syntropy_precompiled name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "HEADERS;LINK")
  file(CONFIGURE OUTPUT ${name}.cc CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE syntropy_flags ${ARG_LINK})
  target_precompile_headers(
    ${name}
    PRIVATE
    <algorithm>
    <array>
    <atomic>
    <cassert>
    <charconv>
    <chrono>
    <cstdint>
    <cstring>
    <deque>
    <functional>
    <map>
    <memory>
    <mutex>
    <optional>
    <set>
    <span>
    <string>
    <string_view>
    <utility>
    <variant>
    <vector>
    ${ARG_HEADERS})
endfunction()

# Makes <target> use the set <name>, by default the common one.
function(syntropy_use_precompiled target name)
  if(NOT name)
    set(name precompiled_common)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

# Compiles the sources of <target> in lumps of <size>: for files whose time goes into the same
# templates again and again. The debug preset compiles each by itself, like an editor.
function(syntropy_lump target size)
  if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${size})
  endif()
endfunction()

syntropy_precompiled(precompiled_common)
syntropy_precompiled(
  precompiled_logging
  HEADERS ${CMAKE_CURRENT_LIST_DIR}/precompiled_logging.h
  LINK fmt::fmt spdlog::spdlog)
syntropy_precompiled(
  precompiled_cli
  HEADERS <CLI/CLI.hpp>
  LINK CLI11::CLI11)
