#include "tools/cli/endpoint.h"

#include <charconv>

namespace syntropy {
namespace {

constexpr uint16_t kRedisPort = 6379;
constexpr std::string_view kForms =
    "write HOST:PORT for a node, a path with a '/' for a directory, or "
    "redis://[USER:PASSWORD@]HOST[:PORT][/DB]";

Status malformed(std::string_view what) {
  return Status::invalid_argument(std::string(what) + ": " + std::string(kForms));
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    uint8_t byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (error != std::errc() || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

/// Takes "host:port", "[v6]:port", or, where there is a `default_port`, a host alone.
Status parse_host_port(std::string_view text, std::optional<uint16_t> default_port,
                       NodeAddress* address) {
  std::string_view host = text;
  std::string_view port;
  bool has_port = false;
  const size_t bracket = text.find(']');
  if (text.starts_with('[') && bracket != std::string_view::npos) {
    host = text.substr(1, bracket - 1);
    const std::string_view rest = text.substr(bracket + 1);
    if (!rest.empty() && rest[0] != ':') return malformed("no ':' behind ']'");
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (host.empty()) return malformed("no host in '" + std::string(text) + "'");
  if (!has_port && !default_port) return malformed("no port in '" + std::string(text) + "'");
  const std::optional<uint16_t> number = has_port ? parse_number<uint16_t>(port) : default_port;
  if (!number || *number == 0) return malformed("no port is '" + std::string(port) + "'");
  address->host = host;
  address->port = *number;
  return {};
}

Status parse_credentials(std::string_view text, NodeAddress* address) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    // Some take a word alone for a user and some for a password.
    return malformed("user and password need a ':' (:PASSWORD for the default user)");
  }
  const auto user = percent_decoded(text.substr(0, colon));
  const auto password = percent_decoded(text.substr(colon + 1));
  if (!user || !password) return malformed("'%' without two hexadecimal digits in the password");
  address->user = *user;
  address->password = *password;
  return {};
}

Result<Endpoint> parse_url(std::string_view scheme, std::string_view rest) {
  Endpoint endpoint;
  endpoint.kind = Endpoint::Kind::kRedis;
  if (scheme == "rediss") {
    endpoint.address.tls.enabled = true;
  } else if (scheme != "redis") {
    return malformed("'" + std::string(scheme) + "://' is not known");
  }
  // The last '@', for a password may hold one.
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const Status credentials = parse_credentials(rest.substr(0, at), &endpoint.address);
    if (!credentials.ok()) return credentials;
    rest = rest.substr(at + 1);
  }
  const size_t slash = rest.find('/');
  if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    endpoint.database = parse_number<uint32_t>(rest.substr(slash + 1));
    if (!endpoint.database) {
      return malformed("no database is '" + std::string(rest.substr(slash + 1)) + "'");
    }
  }
  const Status place = parse_host_port(rest.substr(0, slash), kRedisPort, &endpoint.address);
  if (!place.ok()) return place;
  return endpoint;
}

}  // namespace

std::string Endpoint::text() const {
  if (kind == Kind::kDirectory) return directory;
  const bool is_v6 = address.host.find(':') != std::string::npos;
  std::string text =
      (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
  if (kind == Kind::kNode) return text;
  text = (address.tls.enabled ? "rediss://" : "redis://") + text;
  return database ? text + "/" + std::to_string(*database) : text;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  if (const size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    return parse_url(text.substr(0, scheme), text.substr(scheme + 3));
  }
  Endpoint endpoint;
  if (text == "." || text == ".." || text.find('/') != std::string_view::npos) {
    endpoint.kind = Endpoint::Kind::kDirectory;
    endpoint.directory = text;
    return endpoint;
  }
  const Status place = parse_host_port(text, std::nullopt, &endpoint.address);
  if (!place.ok()) return place;
  return endpoint;
}

}  // namespace syntropy
