# The whole suite in one ctest run: the tests of this tree, the same under sanitizers (from the sibling trees build/asan and
# build/tsan, which `make test` and `make test-all` build first), with every instruction set forced, parity with the
# reference implementations, and fuzzing. `ctest -C All` adds what is marked CONFIGURATIONS All.
get_filename_component(build_root ${PROJECT_BINARY_DIR} DIRECTORY)
get_property(unit_tests GLOBAL PROPERTY GALEN_UNIT_TESTS)
file(GLOB fuzz_targets CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/tests/fuzz ${PROJECT_SOURCE_DIR}/tests/fuzz/*_fuzz.cc)
list(TRANSFORM fuzz_targets REPLACE "\\.cc$" "")

function(galen_suite_test name)
  cmake_parse_arguments(ARG "ALL" "TIMEOUT" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
  if(ARG_ALL)
    add_test(NAME ${name} COMMAND ${ARG_COMMAND} CONFIGURATIONS All)
  else()
    add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 900)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
                       ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# Folders whose results depend on the instruction set.
set(isa_folders kernels ops nn models engine)
set(isas ref avx2 avx512 avx512_bf16 amx)
# Folders with threads.
set(thread_folders base kernels engine server)

foreach(name ${unit_tests})
  get_property(file GLOBAL PROPERTY GALEN_TEST_FILE_${name})
  galen_suite_test(asan.${name} COMMAND ${build_root}/asan/${file} LABELS asan TIMEOUT 1800 ENVIRONMENT "GALEN_SLOW=1")
  if(name IN_LIST isa_folders)
    foreach(isa ${isas})
      galen_suite_test(isa.${isa}.${name} LABELS isa
                       COMMAND ${PROJECT_SOURCE_DIR}/tools/with_isa.sh ${isa} $<TARGET_FILE:${name}_test>)
    endforeach()
  endif()
  if(name IN_LIST thread_folders)
    galen_suite_test(tsan.${name} ALL COMMAND ${build_root}/tsan/${file} LABELS tsan TIMEOUT 3600)
  endif()
  if(name STREQUAL ops OR name STREQUAL kernels)
    galen_suite_test(aarch64.${name} ALL LABELS aarch64 TIMEOUT 3600
                     COMMAND ${PROJECT_SOURCE_DIR}/tools/run_aarch64.sh ${build_root}/aarch64/${file}
                     ENVIRONMENT "GALEN_ISA=ref")
  endif()
endforeach()

# Each target replays its corpus and mutates it for some seconds, in the sanitized tree.
foreach(name ${fuzz_targets})
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set(target ${build_root}/asan/tests/fuzz/${name})
  galen_suite_test(fuzz.${name} COMMAND ${target} --seconds 5 ${corpus} LABELS fuzz)
  galen_suite_test(fuzz_long.${name} ALL COMMAND ${target} --seconds 600 ${corpus} LABELS fuzz TIMEOUT 1200)
endforeach()

if(NOT TARGET galen)
  return()
endif()

# tests/parity/NAME/run.py compares with the reference implementation; exit code 77 with a printed reason = skipped. Where
# `--all` is known, `make test-all` runs it with that, too.
set(oracle ${build_root}/.venv-oracle/bin/python)
file(GLOB parity CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/parity/*/run.py)
foreach(path ${parity})
  get_filename_component(name ${path} DIRECTORY)
  get_filename_component(name ${name} NAME)
  set(environment "GALEN_BIN=$<TARGET_FILE:galen>;GALEN_BUILD=${PROJECT_BINARY_DIR}")
  galen_suite_test(parity.${name} COMMAND ${oracle} ${path} LABELS parity TIMEOUT 2700 ENVIRONMENT "${environment}")
  file(STRINGS ${path} knows_all REGEX "\"--all\"")
  if(knows_all)
    galen_suite_test(parity_all.${name} ALL COMMAND ${oracle} ${path} --all LABELS parity TIMEOUT 7200 ENVIRONMENT "${environment}")
  endif()
endforeach()

# tests/cases/NAME/run.py drives the program from outside with data files; standard library only.
file(GLOB cases CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/cases/*/run.py)
foreach(path ${cases})
  get_filename_component(name ${path} DIRECTORY)
  get_filename_component(name ${name} NAME)
  if(name STREQUAL web AND NOT GALEN_WEB)
    continue()
  endif()
  galen_suite_test(cases.${name} COMMAND ${Python3_EXECUTABLE} ${path} LABELS cases
                   ENVIRONMENT "GALEN_BIN=$<TARGET_FILE:galen>")
  if(name STREQUAL web OR name STREQUAL processors)
    # What web tests runs in a browser; cases.server asks the sanitized program for the page. An emulated processor has no room for the
    # sanitizer's shadow memory.
    continue()
  endif()
  galen_suite_test(asan.cases.${name} COMMAND ${Python3_EXECUTABLE} ${path} LABELS asan TIMEOUT 1800
                   ENVIRONMENT "GALEN_BIN=${build_root}/asan/galen;GALEN_SLOW=1")
  if(name STREQUAL server OR name STREQUAL dicomnet)
    galen_suite_test(tsan.cases.${name} ALL COMMAND ${Python3_EXECUTABLE} ${path} LABELS tsan TIMEOUT 3600
                     ENVIRONMENT "GALEN_BIN=${build_root}/tsan/galen;GALEN_SLOW=1")
  endif()
endforeach()

# tests/clients/NAME/run.py: programs written for other servers' interfaces, in environments of their own; the largest one, and what a
# test has under `--all`, in `make test-all`.
file(GLOB clients CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/clients/*/run.py)
foreach(path ${clients})
  get_filename_component(name ${path} DIRECTORY)
  get_filename_component(name ${name} NAME)
  set(environment "GALEN_BIN=$<TARGET_FILE:galen>")
  if(name STREQUAL javascript AND NOT GALEN_WEB)
    continue()  # no Node
  endif()
  if(name STREQUAL open_webui)
    galen_suite_test(clients.${name} ALL COMMAND ${Python3_EXECUTABLE} ${path} LABELS clients TIMEOUT 3600 ENVIRONMENT "${environment}")
    continue()
  endif()
  galen_suite_test(clients.${name} COMMAND ${Python3_EXECUTABLE} ${path} LABELS clients ENVIRONMENT "${environment}")
  file(STRINGS ${path} knows_all REGEX "\"--all\"")
  if(knows_all)
    galen_suite_test(clients_all.${name} ALL COMMAND ${Python3_EXECUTABLE} ${path} --all LABELS clients ENVIRONMENT "${environment}")
  endif()
endforeach()

# `galen serve` under mixed requests and slow clients, for minutes; `make bench` does it for longer. A machine that is busy with other
# tests answers later, so that the probes have more time here.
galen_suite_test(soak ALL LABELS server TIMEOUT 3600
                 COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/bench/server_soak.py $<TARGET_FILE:galen> --requests 10000 --slow 300
                         --slowest 200)

# A PACS beside it (Debian's orthanc).
galen_suite_test(orthanc ALL COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/orthanc/run.py LABELS orthanc TIMEOUT 900
                 ENVIRONMENT "GALEN_BIN=$<TARGET_FILE:galen>")

# The Debian package in a bare system (root, debootstrap, systemd-nspawn); `make test-all` builds it first. The tour's commands again.
galen_suite_test(package ALL COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/package/run.py LABELS package TIMEOUT 3600)
galen_suite_test(tour ALL COMMAND ${oracle} ${PROJECT_SOURCE_DIR}/tools/make_tour.py --check LABELS tour TIMEOUT 3600
                 ENVIRONMENT "GALEN_BIN=$<TARGET_FILE:galen>")
