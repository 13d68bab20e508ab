// Credentials for DICOMweb servers: in a file, so that neither a command line nor a log shows them.
#pragma once

#include <string>

#include "base/status.h"

namespace galen::dicomnet {

// The value of the header Authorization for an origin ("https://pacs:443", of OriginOf); empty:
// there is none. Lines of the file:
//   ORIGIN bearer TOKEN
//   ORIGIN basic USER:PASSWORD
// and comments with #. ORIGIN is a scheme and a host, with a port where it is not the scheme's own.
// file empty: the one that GALEN_DICOMWEB_CREDENTIALS names, if any. InvalidArgument: a wrong line
// (by number, not by content), a file that others may read; NotFound, Io.
Result<std::string> FindAuthorization(const std::string& origin, std::string file);

}  // namespace galen::dicomnet
