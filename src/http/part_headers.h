// Headers of one part of a multipart body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/multipart.h"

namespace galen {

// InvalidArgument: "part N of the body WHAT"; number counts from 0.
Status WrongPart(size_t number, const std::string& what);

// Sets name, filename and type of *part. InvalidArgument: what is no header, is repeated, or says
// that the part is encoded.
Status ReadPartHeaders(size_t number, std::string_view headers, FormPart* part);

}  // namespace galen
