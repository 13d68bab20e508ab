// Whom galen speaks DICOM with: titles of application entities, and where they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen::dicomnet {

// Letters, digits and " -_.", 1 to 16 of them, no space at the ends: what all systems take of the
// VR AE (PS3.5 6.2).
bool IsTitle(std::string_view text);

// "1.2.840.10008": parts of digits, at most 64 characters (PS3.5 9.1; parts with leading zeros are
// wrong there, and common). No such text leads out of a folder.
bool IsUid(std::string_view text);

// Who may call.
struct AllowedPeer {
  std::string title;
  std::string host;                    // as given
  std::vector<std::string> addresses;  // numeric; empty: any ("*")
};

// "ORTHANC=127.0.0.1", "CT1=ct1.example", "ANY=*". A name is looked up once, here. InvalidArgument.
Result<AllowedPeer> ParseAllowedPeer(const std::string& text);

// True where one of the peers may call from this numeric address, whatever its title.
bool MayConnect(const std::vector<AllowedPeer>& peers, const std::string& address);
// The peer with this title at this address, or null.
const AllowedPeer* FindPeer(const std::vector<AllowedPeer>& peers, const std::string& title,
                            const std::string& address);

// Who is called.
struct Destination {
  std::string title, host;
  int port = 0;
};

// "ORTHANC@127.0.0.1:4242"; DCMTK 3.6.7 calls by IPv4 alone. InvalidArgument.
Result<Destination> ParseDestination(const std::string& text);

}  // namespace galen::dicomnet
