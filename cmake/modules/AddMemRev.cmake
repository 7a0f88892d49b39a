# How memrev's libraries and tools are declared.

option(MEMREV_SANITIZE "Build with address and undefined-behaviour sanitizers" OFF)
option(MEMREV_USE_CCACHE "Compile through ccache when it is installed" ON)

if(MEMREV_SANITIZE)
  # LLVM's own containers are not annotated in Debian's libraries.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr
                      -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # A shared library finds the sanitizers' functions in the program.
  string(REPLACE "-Wl,-z,defs" "" CMAKE_SHARED_LINKER_FLAGS
         "${CMAKE_SHARED_LINKER_FLAGS}")
endif()

if(MEMREV_USE_CCACHE)
  find_program(MEMREV_CCACHE ccache)
  if(MEMREV_CCACHE)
    # A precompiled header is only cacheable with these settings.
    set(launcher ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${MEMREV_CCACHE})
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  endif()
endif()

# Declares a memrev library. MEMREV_LIBS are lower layers of this project;
# MLIR_LIBS are upstream libraries, which resolve to libMLIR.so. DEPENDS are the
# TableGen targets whose output it includes. Most of a file's compile time is
# MLIR's headers, so all libraries share one precompiled header of them.
#   add_memrev_library(MemRevAnalysis Activity.cpp
#     DEPENDS MemRevInterfacesIncGen MEMREV_LIBS MemRevInterfaces MLIR_LIBS MLIRIR)
function(add_memrev_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;MEMREV_LIBS;MLIR_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  llvm_update_compile_flags(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_MEMREV_LIBS})
  if(ARG_MLIR_LIBS)
    # libMLIR.so does not pass libLLVM.so's symbols on.
    mlir_target_link_libraries(${name} PUBLIC ${ARG_MLIR_LIBS})
    target_link_libraries(${name} PUBLIC LLVM)
  endif()
  target_precompile_headers(${name} REUSE_FROM MemRevPrecompiledHeader)
  install(TARGETS ${name} EXPORT MemRevTargets
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set_property(GLOBAL APPEND PROPERTY MEMREV_LIBS ${name})
endfunction()

# Declares a command line tool that ends up in bin/.
function(add_memrev_tool name)
  cmake_parse_arguments(ARG "" "" "MEMREV_LIBS;MLIR_LIBS" ${ARGN})
  add_llvm_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  if(MEMREV_SANITIZE)
    target_sources(${name} PRIVATE
                   ${PROJECT_SOURCE_DIR}/tools/SanitizerOptions.cpp)
  endif()
  llvm_update_compile_flags(${name})
  target_link_libraries(${name} PRIVATE ${ARG_MEMREV_LIBS})
  mlir_target_link_libraries(${name} PRIVATE ${ARG_MLIR_LIBS})
  install(TARGETS ${name} EXPORT MemRevTargets
          RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
