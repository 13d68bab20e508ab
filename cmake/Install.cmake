# What `make install` and the package put where. All data that the program needs is built into it, so that it can be moved and run
# from anywhere; configs/ is installed to be read and copied from. State and settings of the service lie in /var/lib/galen and
# SYSCONFDIR/galen.
include(GNUInstallDirs)

# Man pages, completions and docs/CLI.md's text come from the program itself. Not where the program cannot run here, or is
# built to be tested.
if(CMAKE_CROSSCOMPILING OR GALEN_SANITIZE)
  return()
endif()
set(manual ${PROJECT_BINARY_DIR}/manual)
add_custom_command(
  OUTPUT ${manual}/stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${manual}
  COMMAND galen manual --format man --out ${manual}/man
  COMMAND galen manual --format bash --out ${manual}/galen.bash
  COMMAND galen manual --format zsh --out ${manual}/_galen
  COMMAND galen manual --format fish --out ${manual}/galen.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${manual}/stamp
  DEPENDS galen
  COMMENT "Writing man pages and completions" VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/stamp)

# The unit names the places of the prefix that is chosen when installing.
install(CODE [[
  set(sysconfdir "${CMAKE_INSTALL_PREFIX}/etc")
  if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(sysconfdir "/etc")
  endif()
]])
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/packaging/galen.service.in\" unit)
  string(REPLACE \"@BINDIR@\" \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\" unit \"\${unit}\")
  string(REPLACE \"@SYSCONFDIR@\" \"\${sysconfdir}\" unit \"\${unit}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/galen.service\" \"\${unit}\")
  file(INSTALL \"${PROJECT_BINARY_DIR}/galen.service\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
  # Settings that somebody wrote are kept.
  if(NOT EXISTS \"\$ENV{DESTDIR}\${sysconfdir}/galen/galen.env\")
    file(INSTALL \"${PROJECT_SOURCE_DIR}/packaging/galen.env\" DESTINATION \"\${sysconfdir}/galen\")
  endif()
")
set(doc share/doc/galen)
install(TARGETS galen RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${manual}/man/ DESTINATION share/man/man1)
install(FILES ${manual}/galen.bash DESTINATION share/bash-completion/completions RENAME galen)
install(FILES ${manual}/_galen DESTINATION share/zsh/site-functions)
install(FILES ${manual}/galen.fish DESTINATION share/fish/vendor_completions.d)
install(DIRECTORY configs/ DESTINATION share/galen/configs)
install(FILES LICENSE NOTICE README.md DESTINATION ${doc})
install(DIRECTORY docs/ DESTINATION ${doc} FILES_MATCHING PATTERN "*.md" PATTERN "synth" EXCLUDE)
install(DIRECTORY packaging/samples/ DESTINATION ${doc}/examples)
install(DIRECTORY examples/documents examples/notes examples/training DESTINATION ${doc}/examples)
