#include "http/public_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace galen {
namespace {

struct Net4 {
  uint32_t address;
  int bits;
};

// The special-purpose addresses of IANA's registry (RFC 6890).
constexpr Net4 kSpecial4[] = {
    {0x00000000, 8},   // this network
    {0x0a000000, 8},   // 10.0.0.0, private
    {0x64400000, 10},  // 100.64.0.0, shared
    {0x7f000000, 8},   // loopback
    {0xa9fe0000, 16},  // 169.254.0.0, link-local: metadata of clouds
    {0xac100000, 12},  // 172.16.0.0, private
    {0xc0000000, 24},  // 192.0.0.0, protocols
    {0xc0000200, 24},  // 192.0.2.0, documentation
    {0xc0586300, 24},  // 192.88.99.0, 6to4 relays
    {0xc0a80000, 16},  // 192.168.0.0, private
    {0xc6120000, 15},  // 198.18.0.0, benchmarks
    {0xc6336400, 24},  // 198.51.100.0, documentation
    {0xcb007100, 24},  // 203.0.113.0, documentation
    {0xe0000000, 4},   // multicast
    {0xf0000000, 4},   // reserved, broadcast
};

bool IsPublic4(uint32_t address) {
  return std::none_of(std::begin(kSpecial4), std::end(kSpecial4), [&](const Net4& net) {
    return (address ^ net.address) >> (32 - net.bits) == 0;
  });
}

uint32_t Word(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

bool IsPublic6(const uint8_t* a) {
  constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(a, kMapped, 12) == 0 || std::memcmp(a, kNat64, 12) == 0)
    return IsPublic4(Word(a + 12));
  const uint32_t first = Word(a);
  if (first >> 16 == 0x2002) return IsPublic4(Word(a + 2));      // 6to4
  if (first == 0x20010000 || first == 0x20010db8) return false;  // Teredo, documentation
  return first >> 29 == 1;                                       // 2000::/3
}

}  // namespace

bool IsPublicAddress(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return IsPublic4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return false;
  sockaddr_in6 in;
  std::memcpy(&in, address, sizeof in);
  return IsPublic6(in.sin6_addr.s6_addr);
}

}  // namespace galen
