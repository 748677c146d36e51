# What every target of the project shares, and the functions with which folders declare theirs:
#
#   syntropy_library(<name> SOURCES ... [LINK ...])            a folder's static library
#   syntropy_executable(<name> SOURCES ... [LINK ...])         a program, built into <build>/bin
#
# Both take PRECOMPILED <name> for other precompiled headers than the common ones; see
# SyntropyPrecompiled.cmake.
#
# Includes start at the top folder ("storage/base/status.h"); warnings are errors in our own code,
# while headers of other projects come in as SYSTEM, because their targets are imported.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
# A build with a compiler that we have not met may turn this off.
option(CMAKE_COMPILE_WARNING_AS_ERROR "Stop at warnings in our own code" ON)

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE
      Release
      CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()
# No NDEBUG: assertions guard invariants in production as well. A node that has lost one must stop,
# not answer.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What ccache wants before it keeps an object made with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
                                  CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

add_library(syntropy_flags INTERFACE)
target_compile_options(syntropy_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
target_include_directories(syntropy_flags INTERFACE ${PROJECT_SOURCE_DIR})
# As hiredis asks for it: all share precompiled headers, which must agree on it.
target_compile_definitions(syntropy_flags INTERFACE _FILE_OFFSET_BITS=64)

if(SYNTROPY_SANITIZE)
  if(NOT SYNTROPY_SANITIZE MATCHES "^(address|thread|undefined)$")
    message(FATAL_ERROR "SYNTROPY_SANITIZE is '${SYNTROPY_SANITIZE}': use address, thread or "
                        "undefined, or leave it empty")
  endif()
  # Line tables are all that a report needs; full debug information doubles the build time.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  target_compile_options(
    syntropy_flags INTERFACE -fsanitize=${SYNTROPY_SANITIZE} -fno-omit-frame-pointer
                             -fno-sanitize-recover=all)
  target_link_options(syntropy_flags INTERFACE -fsanitize=${SYNTROPY_SANITIZE})
  # What GCC's optimizer warns of in instrumented code is often wrong; the plain build asks it.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(
      syntropy_flags INTERFACE -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict
                               -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
  if(SYNTROPY_SANITIZE STREQUAL "thread")
    # Asio orders its queues with fences, which GCC's sanitizer doesn't follow and warns of.
    target_compile_options(syntropy_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

if(SYNTROPY_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "SYNTROPY_BUILD_FUZZERS needs clang: use 'cmake --preset fuzz'")
  endif()
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  target_compile_options(
    syntropy_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
                             -fno-sanitize-recover=all)
  target_link_options(syntropy_flags INTERFACE -fsanitize=address,undefined)
endif()

function(syntropy_library name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PRECOMPILED" "SOURCES;LINK")
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC syntropy_flags ${ARG_LINK})
  syntropy_use_precompiled(${name} "${ARG_PRECOMPILED}")
  set_property(GLOBAL APPEND PROPERTY SYNTROPY_LIBRARIES ${name})
endfunction()

function(syntropy_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PRECOMPILED" "SOURCES;LINK")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE syntropy_flags ${ARG_LINK})
  syntropy_use_precompiled(${name} "${ARG_PRECOMPILED}")
endfunction()
