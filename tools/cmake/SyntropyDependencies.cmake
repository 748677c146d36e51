# Finds what the project is built from. Minimum versions only, no paths: Debian 12 and newer, Ubuntu
# 24.04, Fedora. What an installed libsyntropy.a needs is found again by its users, so it stands in
# syntropy-config.cmake.in too.
#
# Targets for those whose packages differ between systems:
#   syntropy::rocksdb   RocksDB, shared where there is one
#   syntropy::xxhash    <xxhash.h>
#   syntropy::protobuf  the run time of the messages between nodes; their compiler is SYNTROPY_PROTOC
#   syntropy::lzf       <lzf.h>
#   syntropy::hiredis   a client's side of the protocol, for the command line tool and MIGRATE
#   syntropy::jemalloc  the allocator of our programs; empty under a sanitizer, which brings its own

# find_dependency() takes from the package in search whether to insist.
set(CMAKE_FIND_PACKAGE_NAME syntropy)
set(syntropy_FIND_REQUIRED TRUE)
include(${CMAKE_CURRENT_LIST_DIR}/SyntropyFindParts.cmake)
unset(CMAKE_FIND_PACKAGE_NAME)
find_package(CLI11 REQUIRED)
find_program(SYNTROPY_PROTOC protoc REQUIRED)
find_package(nlohmann_json REQUIRED)

add_library(syntropy_jemalloc INTERFACE)
add_library(syntropy::jemalloc ALIAS syntropy_jemalloc)
if(NOT SYNTROPY_SANITIZE AND NOT SYNTROPY_BUILD_FUZZERS)
  pkg_check_modules(SYNTROPY_JEMALLOC REQUIRED IMPORTED_TARGET jemalloc>=5)
  target_link_libraries(syntropy_jemalloc INTERFACE PkgConfig::SYNTROPY_JEMALLOC)
endif()
