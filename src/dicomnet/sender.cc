#include "dicomnet/sender.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>
#include <dcmtk/ofstd/ofstd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "dicomnet/toolkit.h"
#include "dicomnet/transport.h"

namespace galen::dicomnet {
namespace {

constexpr int64_t kMostAnswer = int64_t{4} << 20;

class Sender {
 public:
  Sender(const Destination& to, const std::string& title, std::chrono::milliseconds timeout)
      : to_(to), title_(title), layer_(&limits_) {
    limits_.timeout = timeout;
    seconds_ = static_cast<int>(std::max<int64_t>(1, (timeout.count() + 999) / 1000));
  }

  ~Sender() {
    if (assoc_ != nullptr) ASC_destroyAssociation(&assoc_);
    if (parameters_ != nullptr) ASC_destroyAssociationParameters(&parameters_);
    if (network_ != nullptr) ASC_dropNetwork(&network_);
  }

  Status Send(DcmDataset* data_set) {
    OFString sop_class, instance;
    if (data_set->findAndGetOFString(DCM_SOPClassUID, sop_class).bad() ||
        data_set->findAndGetOFString(DCM_SOPInstanceUID, instance).bad()) {
      return InvalidArgument("what is to be sent has no UIDs of class and instance");
    }
    RETURN_IF_ERROR(Associate(sop_class));
    const T_ASC_PresentationContextID context =
        ASC_findAcceptedPresentationContextID(assoc_, sop_class.c_str());
    if (context == 0) {
      ASC_abortAssociation(assoc_);
      return Unsupported(to_.title + " takes no objects of the class " +
                         std::string(sop_class.c_str()));
    }
    T_DIMSE_C_StoreRQ request = {};
    request.MessageID = assoc_->nextMsgID++;
    OFStandard::strlcpy(request.AffectedSOPClassUID, sop_class.c_str(),
                        sizeof(request.AffectedSOPClassUID));
    OFStandard::strlcpy(request.AffectedSOPInstanceUID, instance.c_str(),
                        sizeof(request.AffectedSOPInstanceUID));
    request.DataSetType = DIMSE_DATASET_PRESENT;
    request.Priority = DIMSE_PRIORITY_MEDIUM;
    T_DIMSE_C_StoreRSP response = {};
    DcmDataset* detail = nullptr;
    limits_.Renew(kMostAnswer);
    const OFCondition condition =
        DIMSE_storeUser(assoc_, context, &request, nullptr, data_set, nullptr, nullptr,
                        DIMSE_NONBLOCKING, seconds_, &response, &detail);
    delete detail;
    if (condition.bad()) {
      ASC_abortAssociation(assoc_);
      return Failed("ended before the report was acknowledged");
    }
    limits_.Renew(kMostAnswer);
    ASC_releaseAssociation(assoc_);
    return StatusOf(response.DimseStatus);
  }

 private:
  Status Failed(const std::string& what) const {
    return IoError("the association with " + to_.title + " at " + to_.host + ":" +
                   std::to_string(to_.port) + " " + what);
  }

  // Warnings (Bxxx): it was stored.
  Status StatusOf(uint16_t status) const {
    if (status == STATUS_Success || (status & 0xf000) == 0xb000) return OkStatus();
    char text[16];
    std::snprintf(text, sizeof(text), "0x%04X", status);
    const std::string message = to_.title + " refused the report with the status " + text;
    return (status & 0xff00) == STATUS_STORE_Refused_OutOfResources ? ResourceExhausted(message)
                                                                    : InvalidArgument(message);
  }

  Status Associate(const OFString& sop_class) {
    limits_.Renew(kMostAnswer);
    const std::string address = to_.host + ":" + std::to_string(to_.port);
    const char* syntaxes[] = {UID_LittleEndianExplicitTransferSyntax,
                              UID_LittleEndianImplicitTransferSyntax};
    OFCondition condition;
    {
      const std::lock_guard lock(HandleMutex());
      condition = ASC_initializeNetwork(NET_REQUESTOR, 0, seconds_, &network_);
    }
    if (condition.good()) condition = ASC_setTransportLayer(network_, &layer_, 0);
    if (condition.good())
      condition = ASC_createAssociationParameters(&parameters_, ASC_DEFAULTMAXPDU);
    if (condition.good()) {
      condition = ASC_setAPTitles(parameters_, title_.c_str(), to_.title.c_str(), nullptr);
    }
    if (condition.good()) {
      condition = ASC_setPresentationAddresses(parameters_, "localhost", address.c_str());
    }
    if (condition.good()) {
      condition = ASC_addPresentationContext(parameters_, 1, sop_class.c_str(), syntaxes, 2);
    }
    if (condition.bad()) return Failed("could not be prepared");
    condition = ASC_requestAssociation(network_, parameters_, &assoc_);
    if (assoc_ != nullptr) parameters_ = nullptr;  // it has them
    if (condition == DUL_ASSOCIATIONREJECTED) return Failed("was rejected");
    if (condition.bad()) return Failed("could not be made");
    return OkStatus();
  }

  const Destination& to_;
  const std::string& title_;
  int seconds_ = 1;
  TransportLimits limits_;
  LimitedLayer layer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Parameters* parameters_ = nullptr;
  T_ASC_Association* assoc_ = nullptr;
};

}  // namespace

Status SendInstance(const Destination& to, const std::string& title, std::string_view bytes,
                    std::chrono::milliseconds timeout) {
  PrepareToolkit();
  DcmInputBufferStream stream;
  stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  DcmFileFormat file;
  file.transferInit();
  const OFCondition read = file.read(stream);
  file.transferEnd();
  if (read.bad()) return InvalidArgument("what is to be sent is no DICOM file");
  return Sender(to, title, timeout).Send(file.getDataset());
}

}  // namespace galen::dicomnet
