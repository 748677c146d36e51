# What `cmake --install` puts down: both programs, libsyntropy.a with everything that the folder
# targets hold, the public headers, and the CMake package that finds them.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(syntropy_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/syntropy)

# One archive from the objects of all folders: who embeds a node links one thing, and our folders
# stay our own business. Named libsyntropy because `syntropy` is the command line tool.
add_library(libsyntropy STATIC)
set_target_properties(libsyntropy PROPERTIES OUTPUT_NAME syntropy EXPORT_NAME syntropy
                                             LINKER_LANGUAGE CXX)
get_property(syntropy_libraries GLOBAL PROPERTY SYNTROPY_LIBRARIES)
foreach(library IN LISTS syntropy_libraries)
  target_sources(libsyntropy PRIVATE $<TARGET_OBJECTS:${library}>)
endforeach()
target_link_libraries(libsyntropy PRIVATE Threads::Threads fmt::fmt spdlog::spdlog
                                          syntropy::rocksdb syntropy::xxhash syntropy::lzf
                                          syntropy::hiredis
                                          syntropy::protobuf OpenSSL::SSL OpenSSL::Crypto)
target_include_directories(libsyntropy
                           INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(libsyntropy INTERFACE cxx_std_20)
if(SYNTROPY_SANITIZE)
  target_link_options(libsyntropy INTERFACE -fsanitize=${SYNTROPY_SANITIZE})
endif()

install(
  TARGETS libsyntropy
  EXPORT syntropy-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS syntropyd syntropy RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(
  DIRECTORY ${PROJECT_SOURCE_DIR}/server/public/syntropy
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING
  PATTERN "*.h"
  PATTERN "status.h" EXCLUDE)
# In the source tree that header only points to this one, which includes nothing of ours.
install(FILES ${PROJECT_SOURCE_DIR}/storage/base/status.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/syntropy)
install(
  EXPORT syntropy-targets
  NAMESPACE syntropy::
  DESTINATION ${syntropy_package_dir})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/tools/cmake/syntropy-config.cmake.in
  ${PROJECT_BINARY_DIR}/syntropy-config.cmake INSTALL_DESTINATION ${syntropy_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/syntropy-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/syntropy-config.cmake
        ${PROJECT_BINARY_DIR}/syntropy-config-version.cmake
        ${PROJECT_SOURCE_DIR}/tools/cmake/SyntropyFindParts.cmake
  DESTINATION ${syntropy_package_dir})
