#include "dicomnet/association.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrma.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dimse.h>
#include <dcmtk/ofstd/ofstd.h>
#include <poll.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <thread>

#include "dicomnet/file_head.h"
#include "dicomnet/toolkit.h"
#include "dicomnet/transport.h"
#include "media/dicom/transfer_syntax.h"

namespace galen::dicomnet {
namespace {

constexpr std::chrono::seconds kRequestTime{10};
// 128 contexts with all of a sender's syntaxes are some 100 KiB.
constexpr size_t kMostRequest = size_t{256} << 10;
constexpr int64_t kMostCommand = int64_t{1} << 20;
constexpr size_t kDigestsAtOnce = 500;

// Waits until the whole A-ASSOCIATE-RQ lies in the socket's buffer, so that DCMTK reads it without
// waiting: it does so under a lock.
bool AwaitRequest(int socket, Clock::time_point deadline) {
  constexpr size_t kHead = 6;
  constexpr auto kPause = std::chrono::milliseconds(5);
  std::vector<uint8_t> seen(kHead);
  while (WaitReadable(socket, deadline)) {
    const ssize_t n = ::recv(socket, seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
      return false;
    if (n >= static_cast<ssize_t>(kHead)) {
      const size_t length =
          size_t{seen[2]} << 24 | size_t{seen[3]} << 16 | size_t{seen[4]} << 8 | size_t{seen[5]};
      if (seen[0] != 1 || length > kMostRequest) return false;
      if (static_cast<size_t>(n) >= kHead + length) return true;
      seen.resize(kHead + length);
    }
    pollfd closed = {socket, POLLRDHUP, 0};
    if (::poll(&closed, 1, 0) > 0) {
      // What comes no more: unless the rest came in between, it is cut off.
      if (::recv(socket, seen.data(), seen.size(), MSG_PEEK | MSG_DONTWAIT) == n) return false;
    }
    std::this_thread::sleep_for(kPause);
  }
  return false;
}

bool IsReadable(const char* syntax) {
  const dicom::TransferSyntax* known = dicom::FindTransferSyntax(syntax);
  return known != nullptr && known->codec != dicom::PixelCodec::kUnsupported;
}

bool IsStorage(const std::string& sop_class) {
  static const std::set<std::string> all(
      dcmAllStorageSOPClassUIDs, dcmAllStorageSOPClassUIDs + numberOfDcmAllStorageSOPClassUIDs);
  return all.count(sop_class) != 0;
}

// A data set on its way to the inbox.
class InboxConsumer : public DcmConsumer {
 public:
  explicit InboxConsumer(Inbox::Incoming* incoming) : incoming_(incoming) {}
  OFBool good() const override { return OFTrue; }
  OFCondition status() const override { return EC_Normal; }
  OFBool isFlushed() const override { return OFTrue; }
  offile_off_t avail() const override { return 1 << 20; }
  offile_off_t write(const void* bytes, offile_off_t size) override {
    incoming_->Write({static_cast<const char*>(bytes), static_cast<size_t>(size)});
    return size;
  }
  void flush() override {}

 private:
  Inbox::Incoming* const incoming_;
};

class InboxStream : public DcmOutputStream {
 public:
  explicit InboxStream(DcmConsumer* consumer) : DcmOutputStream(consumer) {}
};

class Association {
 public:
  Association(const ReceiverOptions& options, Inbox* inbox, const ReceiverEvents& events,
              AssociationReport* report)
      : options_(options), inbox_(*inbox), events_(events), report_(*report), layer_(&limits_) {
    limits_.timeout = options.timeout;
  }

  ~Association() {
    if (assoc_ != nullptr) {
      limits_.Renew(kMostCommand);
      limits_.deadline = Clock::now() + std::chrono::seconds(1);  // for the peer to close first
      ASC_dropSCPAssociation(assoc_, 1);
      ASC_destroyAssociation(&assoc_);
    }
    if (network_ != nullptr) ASC_dropNetwork(&network_);
    Tell();
  }

  // False: there is no association.
  bool Receive(Fd socket) {
    limits_.Renew(kMostRequest + 6);
    limits_.deadline = std::min(limits_.deadline, Clock::now() + kRequestTime);
    if (!AwaitRequest(socket.fd, limits_.deadline)) return false;
    const std::lock_guard lock(HandleMutex());
    dcmExternalSocketHandle.set(socket.fd);
    OFCondition condition = ASC_initializeNetwork(NET_ACCEPTOR, 0, Seconds(), &network_);
    if (condition.good()) condition = ASC_setTransportLayer(network_, &layer_, 0);
    if (condition.good()) {
      socket.fd = -1;  // the connection's, or closed
      condition = ASC_receiveAssociation(network_, &assoc_, ASC_MAXIMUMPDUSIZE, nullptr, nullptr,
                                         OFFalse, DUL_NOBLOCK, Seconds());
    }
    dcmExternalSocketHandle.set(-1);
    return condition.good();
  }

  // Whom it is from and to, and that it may be. False: it was rejected.
  bool Admit(std::atomic<int>* active, bool* counted) {
    DIC_AE calling = "", called = "", responding = "";
    DIC_UI context = "";
    if (ASC_getAPTitles(assoc_->params, calling, sizeof(calling), called, sizeof(called),
                        responding, sizeof(responding))
            .bad() ||
        ASC_getApplicationContextName(assoc_->params, context, sizeof(context)).bad() ||
        std::strcmp(context, UID_StandardApplicationContext) != 0) {
      return Reject("context_name", ASC_RESULT_REJECTEDPERMANENT,
                    ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED);
    }
    const AllowedPeer* peer = FindPeer(options_.allowed, Trimmed(calling), report_.address);
    if (peer != nullptr) report_.title = peer->title;
    if (Trimmed(called) != options_.title) {
      return Reject("called_title", ASC_RESULT_REJECTEDPERMANENT,
                    ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED);
    }
    if (peer == nullptr) {
      return Reject("calling_title", ASC_RESULT_REJECTEDPERMANENT,
                    ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED);
    }
    *counted = true;
    if (active->fetch_add(1) >= options_.max_associations) {
      return Reject("busy", ASC_RESULT_REJECTEDTRANSIENT, ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED);
    }
    if (!events_.begins(report_)) {
      return Reject("unrecorded", ASC_RESULT_REJECTEDTRANSIENT,
                    ASC_REASON_SP_PRES_TEMPORARYCONGESTION);
    }
    return Negotiate();
  }

  void Serve() {
    OFCondition condition;
    while (condition.good()) {
      limits_.Renew(kMostCommand);
      T_ASC_PresentationContextID context = 0;
      auto message = std::make_unique<T_DIMSE_Message>();
      DcmDataset* detail = nullptr;
      condition = DIMSE_receiveCommand(assoc_, DIMSE_NONBLOCKING, Seconds(), &context,
                                       message.get(), &detail);
      const std::unique_ptr<DcmDataset> owned(detail);
      if (condition.bad()) break;
      if (message->CommandField == DIMSE_C_ECHO_RQ) {
        ++report_.echoes;
        condition = DIMSE_sendEchoResponse(assoc_, context, &message->msg.CEchoRQ,
                                           STATUS_ECHO_Success, nullptr);
      } else if (message->CommandField == DIMSE_C_STORE_RQ) {
        condition = Store(context, &message->msg.CStoreRQ);
      } else {
        condition = DIMSE_BADCOMMANDTYPE;
      }
    }
    End(condition);
  }

 private:
  int Seconds() const {
    return static_cast<int>(std::max<int64_t>(1, (options_.timeout.count() + 999) / 1000));
  }

  static std::string Trimmed(const char* title) {
    std::string_view text(title);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return std::string(text);
  }

  bool Reject(const char* reason, T_ASC_RejectParametersResult result,
              T_ASC_RejectParametersReason why) {
    limits_.Renew(kMostCommand);
    const unsigned int bits = why;
    const T_ASC_RejectParameters parameters = {
        result, static_cast<T_ASC_RejectParametersSource>((bits >> 8) & 0xff), why};
    ASC_rejectAssociation(assoc_, &parameters);
    report_.outcome = "rejected";
    report_.reason = reason;
    return false;
  }

  // Of each context the sender's first syntax that galen reads: it may have no other.
  bool Negotiate() {
    OFCondition condition;
    for (int i = 0; condition.good() && i < ASC_countPresentationContexts(assoc_->params); ++i) {
      T_ASC_PresentationContext context;
      condition = ASC_getPresentationContext(assoc_->params, i, &context);
      if (condition.bad()) break;
      const bool verifies = std::strcmp(context.abstractSyntax, UID_VerificationSOPClass) == 0;
      if (!verifies && !IsStorage(context.abstractSyntax)) {
        condition = ASC_refusePresentationContext(assoc_->params, context.presentationContextID,
                                                  ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
        continue;
      }
      const int count = std::min<int>(context.transferSyntaxCount, DICOM_MAXTRANSFERSYNTAXES);
      int chosen = 0;
      while (chosen < count && !IsReadable(context.proposedTransferSyntaxes[chosen])) ++chosen;
      condition = chosen < count
                      ? ASC_acceptPresentationContext(assoc_->params, context.presentationContextID,
                                                      context.proposedTransferSyntaxes[chosen])
                      : ASC_refusePresentationContext(assoc_->params, context.presentationContextID,
                                                      ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
    }
    limits_.Renew(kMostCommand);
    if (condition.good()) condition = ASC_acknowledgeAssociation(assoc_);
    if (condition.bad()) End(condition);
    return condition.good();
  }

  OFCondition Store(T_ASC_PresentationContextID context, T_DIMSE_C_StoreRQ* request) {
    T_ASC_PresentationContext accepted;
    if (ASC_findAcceptedPresentationContext(assoc_->params, context, &accepted).bad())
      return makeDcmnetCondition(DIMSEC_INVALIDPRESENTATIONCONTEXTID, OF_error, "");
    InstanceName expected;
    expected.sop_class = request->AffectedSOPClassUID;
    expected.instance = request->AffectedSOPInstanceUID;
    uint16_t status = STATUS_Success;
    if (expected.sop_class != accepted.abstractSyntax) {
      status = STATUS_STORE_Refused_SOPClassNotSupported;
    } else if (!IsUid(expected.sop_class) || !IsUid(expected.instance)) {
      status = static_cast<uint16_t>(Refusal::kCannotUnderstand);
    }
    const std::unique_ptr<Inbox::Incoming> incoming = inbox_.Begin();
    if (status == STATUS_Success)
      incoming->Write(
          FileHead(expected.sop_class, expected.instance, accepted.acceptedTransferSyntax));
    // What is too large is read to its end, so that the sender learns why; what is far too large
    // is cut off.
    limits_.Renew(2 * most_bytes() + kMostCommand);
    InboxConsumer consumer(incoming.get());
    OFCondition condition;
    {
      InboxStream stream(&consumer);
      condition = DIMSE_receiveDataSetInFile(assoc_, DIMSE_NONBLOCKING, Seconds(), &context,
                                             &stream, nullptr, nullptr);
    }
    if (condition.bad()) return condition;
    if (status == STATUS_Success) status = Accept(incoming.get(), expected);
    if (status != STATUS_Success) ++report_.refused;
    limits_.Renew(kMostCommand);
    T_DIMSE_C_StoreRSP response = {};
    response.MessageIDBeingRespondedTo = request->MessageID;
    response.DimseStatus = status;
    response.DataSetType = DIMSE_DATASET_NULL;
    OFStandard::strlcpy(response.AffectedSOPClassUID, request->AffectedSOPClassUID,
                        sizeof(response.AffectedSOPClassUID));
    OFStandard::strlcpy(response.AffectedSOPInstanceUID, request->AffectedSOPInstanceUID,
                        sizeof(response.AffectedSOPInstanceUID));
    response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
    return DIMSE_sendStoreResponse(assoc_, context, request, &response, nullptr);
  }

  uint16_t Accept(Inbox::Incoming* incoming, const InstanceName& expected) {
    Refusal why = Refusal::kOutOfResources;
    const Result<StoredInstance> stored = incoming->Accept(expected, &why);
    if (!stored.ok()) return static_cast<uint16_t>(why);
    ++(stored->known ? report_.known : report_.stored);
    if (!stored->known) report_.bytes += stored->bytes;
    digests_.push_back(stored->sha256);
    if (digests_.size() >= kDigestsAtOnce) Tell();
    return STATUS_Success;
  }

  int64_t most_bytes() const { return inbox_.max_instance_bytes(); }

  void Tell() {
    if (!digests_.empty()) events_.received(report_.id, digests_);
    digests_.clear();
  }

  void End(const OFCondition& condition) {
    // DCMTK has several errors for what did not come in time.
    const bool late = limits_.late || Clock::now() >= limits_.deadline ||
                      condition == DIMSE_NODATAAVAILABLE || condition == DUL_READTIMEOUT;
    limits_.Renew(kMostCommand);
    if (condition == DUL_PEERREQUESTEDRELEASE) {
      report_.outcome = "released";
      ASC_acknowledgeRelease(assoc_);
    } else if (condition == DUL_PEERABORTEDASSOCIATION) {
      report_.outcome = "aborted";
    } else {
      report_.outcome = limits_.excessive                ? "excessive"
                        : late                           ? "late"
                        : condition == DUL_NETWORKCLOSED ? "lost"
                                                         : "broken";
      ASC_abortAssociation(assoc_);
    }
  }

  const ReceiverOptions& options_;
  Inbox& inbox_;
  const ReceiverEvents& events_;
  AssociationReport& report_;
  TransportLimits limits_;
  LimitedLayer layer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* assoc_ = nullptr;
  std::vector<std::string> digests_;
};

}  // namespace

void RunAssociation(Fd socket, const ReceiverOptions& options, Inbox* inbox,
                    const ReceiverEvents& events, std::atomic<int>* active,
                    AssociationReport* report) {
  bool counted = false;
  const auto count = [&](void*) {
    if (counted) active->fetch_sub(1);
  };
  const std::unique_ptr<bool, decltype(count)> guard(&counted, count);
  {
    Association association(options, inbox, events, report);
    if (!association.Receive(std::move(socket))) {
      report->outcome = "no_request";
    } else if (association.Admit(active, &counted)) {
      association.Serve();
    }
  }
}

}  // namespace galen::dicomnet
