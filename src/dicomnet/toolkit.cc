#include "dicomnet/toolkit.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dul.h>

#include "media/dicom/jpeg_dcmtk.h"

namespace galen::dicomnet {
namespace {
constexpr int kConnectSeconds = 10;
}

void PrepareToolkit() {
  static std::once_flag once;
  std::call_once(once, [] {
    dicom::SilenceDcmtk();
    dcmDisableGethostbyaddr.set(OFTrue);
    dcmConnectionTimeout.set(kConnectSeconds);
  });
}

std::mutex& HandleMutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace galen::dicomnet
