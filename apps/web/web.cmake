# The page of `galen serve` as a source file of C++. Included by src/server.
# WEB_PAGE_SOURCE: the file; build trees share the folder in which npm works.
option(GALEN_WEB "Build the page that people open (needs Node.js and npm, or what they made before)" ON)
set(WEB_PAGE_SOURCE ${CMAKE_CURRENT_BINARY_DIR}/page_files.cc)
if(GALEN_WEB)
  file(GLOB_RECURSE web_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*)
  list(FILTER web_files EXCLUDE REGEX "/node_modules/")
  get_filename_component(web_work ${PROJECT_BINARY_DIR} DIRECTORY)
  add_custom_command(
    OUTPUT ${WEB_PAGE_SOURCE}
    COMMAND ${PROJECT_SOURCE_DIR}/tools/build_web.sh ${WEB_PAGE_SOURCE} ${web_work}/web
    DEPENDS ${web_files} ${PROJECT_SOURCE_DIR}/tools/build_web.sh
    COMMENT "Building the page (apps/web)" VERBATIM)
else()
  file(WRITE ${WEB_PAGE_SOURCE} "#include \"server/page/page_files.h\"\n
namespace galen::server {
const std::vector<PageFile>& PageFiles() {
  static const std::vector<PageFile> none;
  return none;
}
}  // namespace galen::server\n")
endif()
