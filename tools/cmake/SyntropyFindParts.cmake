# Finds the parts that libsyntropy.a is linked with. Used by our own build and, installed next to
# syntropy-config.cmake, by the build of every program that embeds a node.

include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(PkgConfig)
find_dependency(Boost 1.81 CONFIG)
find_dependency(fmt 9)
find_dependency(spdlog 1.10)
find_dependency(OpenSSL 3)

# RocksDB calls only versions of one major number compatible, we ask for 7.8 or anything newer.
find_dependency(RocksDB)
if(RocksDB_VERSION VERSION_LESS 7.8)
  message(FATAL_ERROR "Syntropy needs RocksDB 7.8 or newer, found ${RocksDB_VERSION}")
endif()
if(NOT TARGET syntropy::rocksdb)
  add_library(syntropy::rocksdb INTERFACE IMPORTED)
  # The archive where there is one: its thread-local counters, touched by every comparison of keys,
  # cost a call each in the shared library (8% of a SET).
  if(TARGET RocksDB::rocksdb AND NOT SYNTROPY_SHARED_ROCKSDB)
    target_link_libraries(syntropy::rocksdb INTERFACE RocksDB::rocksdb)
  else()
    target_link_libraries(syntropy::rocksdb INTERFACE RocksDB::rocksdb-shared)
  endif()
endif()

pkg_check_modules(SYNTROPY_HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
if(NOT TARGET syntropy::hiredis)
  add_library(syntropy::hiredis INTERFACE IMPORTED)
  target_link_libraries(syntropy::hiredis INTERFACE PkgConfig::SYNTROPY_HIREDIS)
endif()

pkg_check_modules(SYNTROPY_XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
if(NOT TARGET syntropy::xxhash)
  add_library(syntropy::xxhash INTERFACE IMPORTED)
  target_link_libraries(syntropy::xxhash INTERFACE PkgConfig::SYNTROPY_XXHASH)
endif()

# Found by pkg-config, as CMake's own module knows nothing of what newer versions are linked with.
pkg_check_modules(SYNTROPY_PROTOBUF REQUIRED IMPORTED_TARGET protobuf-lite>=3.21)
if(NOT TARGET syntropy::protobuf)
  add_library(syntropy::protobuf INTERFACE IMPORTED)
  target_link_libraries(syntropy::protobuf INTERFACE PkgConfig::SYNTROPY_PROTOBUF)
endif()

# LibLZF has a pkg-config file on some systems only, and its header is not always in a folder.
find_path(SYNTROPY_LZF_INCLUDE_DIR lzf.h PATH_SUFFIXES liblzf REQUIRED)
find_library(SYNTROPY_LZF_LIBRARY lzf REQUIRED)
mark_as_advanced(SYNTROPY_LZF_INCLUDE_DIR SYNTROPY_LZF_LIBRARY)
if(NOT TARGET syntropy::lzf)
  add_library(syntropy::lzf INTERFACE IMPORTED)
  target_include_directories(syntropy::lzf INTERFACE ${SYNTROPY_LZF_INCLUDE_DIR})
  target_link_libraries(syntropy::lzf INTERFACE ${SYNTROPY_LZF_LIBRARY})
endif()
