# Eight files of the target at a time are compiled as one (GALEN_TOGETHER): most of the time goes into headers, which are then
# read once. Such files see each other's anonymous namespaces: they must not have names in common. A file with
# SKIP_UNITY_BUILD_INCLUSION stays alone.
function(galen_compile_together target)
  if(GALEN_TOGETHER)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# galen_folder(NAME [USES folder...] [LIBS lib...] [FOREIGN_BYTES] [APART])
# Declares the folder src/NAME as one static library. Its link line is its permission to include: USES lists the folders of
# src/ that it may use (tools/check_layers.py holds the same table). Every *_test.cc beside the code goes into NAME_test.
# FOREIGN_BYTES: it reads files or requests, so sanitized builds check the alignment of each access. APART: each
# file is compiled alone; otherwise galen_compile_together.
function(galen_folder name)
  cmake_parse_arguments(ARG "FOREIGN_BYTES;APART" "" "USES;LIBS;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
    list(FILTER tests EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  list(TRANSFORM ARG_USES PREPEND galen_)
  if(sources)
    set(scope PUBLIC)
    add_library(galen_${name} STATIC ${sources})
  else()
    set(scope INTERFACE)  # headers only
    add_library(galen_${name} INTERFACE)
  endif()
  if(ARG_FOREIGN_BYTES AND GALEN_SANITIZE MATCHES undefined)
    target_compile_options(galen_${name} PRIVATE -fsanitize=alignment)
  endif()
  if(sources AND NOT ARG_APART)
    galen_compile_together(galen_${name})
  endif()
  target_include_directories(galen_${name} ${scope} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(galen_${name} ${scope} ${ARG_USES} ${ARG_LIBS} Threads::Threads)
  if(GALEN_TESTS AND tests)
    add_executable(${name}_test ${tests})
    # GCC 12 finds overflows in the containers of tests where there are none: warnings there are shown, no errors.
    target_compile_options(${name}_test PRIVATE -Wno-error)
    # What is tested is optimised as shipped; the tests themselves need no more (one that was measured compiles in two thirds of the time).
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>)
    if(NOT ARG_APART)
      galen_compile_together(${name}_test)
    endif()
    target_link_libraries(${name}_test PRIVATE galen_${name} GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE GALEN_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 900)
    set_property(GLOBAL APPEND PROPERTY GALEN_UNIT_TESTS ${name})
    # The suite (tests/CMakeLists.txt) runs the same file of the sanitized build trees.
    file(RELATIVE_PATH where ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR})
    set_property(GLOBAL PROPERTY GALEN_TEST_FILE_${name} ${where}/${name}_test)
  endif()
endfunction()

# galen_builtin_files(TARGET FUNCTION FOLDER file...)
# Puts files into the program as they are: std::span<const galen::BuiltinFile> galen::FUNCTION() has them under the paths
# builtin:FOLDER/NAME (src/base/builtin_files.h). The caller declares FUNCTION in a header.
function(galen_builtin_files target function folder)
  set(assembly "")
  set(declarations "")
  set(rows "")
  set(index 0)
  foreach(path ${ARGN})
    get_filename_component(name ${path} NAME)
    set(symbol galen_builtin_${function}_${index})
    string(APPEND assembly "__asm__(\".section .rodata\\n.balign 64\\n.global ${symbol}\\n${symbol}:\\n.incbin \\\"${path}\\\"\\n"
                           ".global ${symbol}_end\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n")
    string(APPEND declarations "extern \"C\" const uint8_t ${symbol}[], ${symbol}_end[];\n")
    string(APPEND rows "    {\"builtin:${folder}/${name}\", {${symbol}, ${symbol}_end}},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${function}.cc)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT "// Written by galen_builtin_files of cmake/Galen.cmake.
#include \"base/builtin_files.h\"
@assembly@@declarations@namespace galen {
std::span<const BuiltinFile> @function@();
std::span<const BuiltinFile> @function@() {
  static const BuiltinFile files[] = {
@rows@  };
  return files;
}
}  // namespace galen
")
  set_source_files_properties(${generated} PROPERTIES OBJECT_DEPENDS "${ARGN}" SKIP_UNITY_BUILD_INCLUSION ON)
  target_sources(${target} PRIVATE ${generated})
endfunction()
