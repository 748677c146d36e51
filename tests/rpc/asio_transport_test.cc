// What sockets alone can show: TLS, addresses of this machine.

#include "rpc/asio_transport.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "tests/rpc/transport_fixture.h"
#include "tests/support/temp_dir.h"

namespace syntropy::testing {
namespace {

using ::testing::HasSubstr;

template <class T, void (*kFree)(T*)>
struct Free {
  void operator()(T* pointer) const { kFree(pointer); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;

// An authority and what it issues, as files.
class Authority {
 public:
  explicit Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    certificate_ = make(name, key_.get(), 1);
    write(name + ".pem", [&](BIO* to) { PEM_write_bio_X509(to, certificate_.get()); });
    file_ = dir_ / (name + ".pem");
  }

  TlsFiles issue(const std::string& name) {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = make(name, key.get(), ++serial_);
    write(name + ".pem", [&](BIO* to) { PEM_write_bio_X509(to, certificate.get()); });
    write(name + ".key", [&](BIO* to) {
      PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    return {dir_ / (name + ".pem"), dir_ / (name + ".key"), file_};
  }
  const std::string& file() const { return file_; }
  std::string path(const std::string& name) const { return dir_ / name; }

 private:
  Certificate make(const std::string& name, EVP_PKEY* key, long serial) {
    Certificate made(X509_new());
    X509_set_version(made.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 24 * 3600);
    X509_set_pubkey(made.get(), key);
    X509_NAME* const subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(made.get(),
                         certificate_ ? X509_get_subject_name(certificate_.get()) : subject);
    if (!certificate_) {
      const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION, X509_EXTENSION_free>> may_issue(
          X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"));
      X509_add_ext(made.get(), may_issue.get(), -1);
    }
    X509_sign(made.get(), key_.get(), EVP_sha256());
    return made;
  }

  template <class Write>
  void write(const std::string& name, Write put) {
    const std::unique_ptr<BIO, Free<BIO, BIO_free_all>> file(
        BIO_new_file((dir_ / name).c_str(), "w"));
    put(file.get());
  }

  TempDir dir_;
  Key key_;
  Certificate certificate_;
  std::string file_;
  long serial_ = 1;
};

class TlsTest : public TransportTest<SocketNet> {
 protected:
  NodePtr start_tls(uint64_t number, const TlsFiles& files, const std::string& secret = "") {
    auto node = std::make_unique<Node>();
    BusOptions options;
    options.self = node_id(number);
    options.key = key_of(secret);
    node->recorder = std::make_unique<Recorder>(signal);
    Result<std::unique_ptr<AsioTransport>> made = AsioTransport::make(options, files);
    EXPECT_TRUE(made.ok()) << made.status().message();
    node->transport = std::move(*made);
    EXPECT_TRUE(node->transport->listen({"127.0.0.1", 0}).ok());
    EXPECT_TRUE(node->transport->start(*node->recorder).ok());
    node->peer = {options.self, {"127.0.0.1", node->transport->port()}};
    return node;
  }
  // `from` doesn't get through to `to`, and `to` learns nothing of a node.
  void expect_not_admitted(const NodePtr& from, const NodePtr& to) {
    send(from, Peer{NodeId(), to->peer.address}, "let me in");
    ASSERT_TRUE(wait_count(from, Event::kUnreachable, 1));
    ASSERT_TRUE(wait_count(to, Event::kStranger, 1));
    EXPECT_EQ(to->count(Event::kConnected) + to->count(Event::kMessage), 0u);
    EXPECT_EQ(from->count(Event::kConnected), 0u);
  }

  Authority ours{"authority"};
};

TEST_F(TlsTest, NodesWithCertificatesOfOneAuthorityTalk) {
  for (const char* secret : {"", "a secret"}) {
    const NodePtr one = start_tls(1, ours.issue("one"), secret);
    const NodePtr two = start_tls(2, ours.issue("two"), secret);
    send(one, two->peer, std::string(100'000, 'x'));
    ASSERT_TRUE(wait_count(two, Event::kMessage, 1));
    EXPECT_EQ(two->recorder->last(Event::kMessage).peer, node_id(1));
    send(two, Peer{node_id(1), {}}, "back");
    ASSERT_TRUE(wait_count(one, Event::kMessage, 1));
  }
}

TEST_F(TlsTest, StreamsStallAndGoOn) {
  const NodePtr one = start_tls(1, ours.issue("one"));
  const NodePtr two = start_tls(2, ours.issue("two"));
  const StreamId stream = open_stream(one, two->peer);
  ASSERT_TRUE(wait_count(one, Event::kStreamOpen, 1));
  ASSERT_TRUE(wait_count(two, Event::kStreamOpen, 1));
  const StreamId read = two->recorder->last(Event::kStreamOpen).stream;
  on_loop(two, [&](Transport& transport) { transport.set_reading(read, false); });
  size_t written = 0;
  for (int stalled = 0; stalled < 20; ++stalled) {
    on_loop(one, [&](Transport& transport) {
      while (transport.write(stream, kType, std::string(50'000, 'x'))) {
        ++written;
        stalled = 0;
      }
    });
    on_loop(two, [](Transport&) {});
  }
  on_loop(two, [&](Transport& transport) { transport.set_reading(read, true); });
  ASSERT_TRUE(wait_count(two, Event::kStreamFrame, written));
}

TEST_F(TlsTest, CertificateOfAnotherAuthorityIsNotTaken) {
  Authority theirs("stranger");
  TlsFiles stranger = theirs.issue("three");
  const NodePtr one = start_tls(1, ours.issue("one"));
  {
    // It doesn't trust us either.
    const NodePtr three = start_tls(3, stranger);
    expect_not_admitted(three, one);
  }
  // It would trust us.
  stranger.authority = ours.file();
  const NodePtr two = start_tls(2, ours.issue("two"));
  const NodePtr three = start_tls(3, stranger);
  expect_not_admitted(three, two);
  const NodePtr four = start_tls(4, ours.issue("four"));
  expect_not_admitted(four, three);
}

TEST_F(TlsTest, NodeWithoutTlsDoesNotGetThrough) {
  const NodePtr one = start_tls(1, ours.issue("one"));
  expect_not_admitted(start(2), one);
  BusOptions impatient;
  impatient.limits.handshake_ms = 100;
  expect_not_admitted(start_tls(3, ours.issue("three")), start(4, impatient));
}

TEST_F(TlsTest, CertificateAloneIsNoSecret) {
  const NodePtr one = start_tls(1, ours.issue("one"), "a secret");
  expect_not_admitted(start_tls(2, ours.issue("two")), one);
}

TEST_F(TlsTest, FileThatCannotBeUsedIsNamed) {
  const TlsFiles good = ours.issue("one");
  const auto message = [](const TlsFiles& files) {
    const auto made = AsioTransport::make(BusOptions(), files);
    EXPECT_FALSE(made.ok());
    EXPECT_TRUE(made.ok() || made.status().is(StatusCode::kInvalidArgument));
    return std::string(made.status().message());
  };
  EXPECT_THAT(message({good.certificate, "", good.authority}), HasSubstr("takes all of"));
  EXPECT_THAT(message({ours.path("none"), good.key, good.authority}),
              HasSubstr("cluster-tls-cert-file " + ours.path("none")));
  EXPECT_THAT(message({good.certificate, ours.path("none"), good.authority}),
              HasSubstr("cluster-tls-key-file " + ours.path("none")));
  EXPECT_THAT(message({good.certificate, good.key, ours.path("none")}),
              HasSubstr("cluster-tls-ca-file " + ours.path("none")));
  // Another certificate's key.
  EXPECT_THAT(message({good.certificate, ours.issue("two").key, good.authority}),
              HasSubstr("cluster-tls-key-file"));
}

class SocketTest : public TransportTest<SocketNet> {};

TEST_F(SocketTest, AddressInUseIsNamed) {
  const NodePtr one = start(1);
  Result<std::unique_ptr<AsioTransport>> other = AsioTransport::make(BusOptions());
  ASSERT_TRUE(other.ok());
  const Status listening = (*other)->listen(one->peer.address);
  EXPECT_EQ(listening.code(), StatusCode::kIoError);
  EXPECT_THAT(std::string(listening.message()), HasSubstr(to_text(one->peer.address)));
  EXPECT_TRUE((*other)->listen({"localhost", 0}).is(StatusCode::kInvalidArgument));
}

TEST_F(SocketTest, NodesTalkOverIpv6) {
  const NodePtr one = start(1);
  NodePtr two = std::make_unique<Node>();
  two->recorder = std::make_unique<Recorder>(signal);
  BusOptions options;
  options.self = node_id(2);
  two->transport = std::move(*AsioTransport::make(options));
  if (!two->transport->listen({"::1", 0}).ok()) GTEST_SKIP() << "no IPv6 on this machine";
  ASSERT_TRUE(two->transport->start(*two->recorder).ok());
  two->peer = {node_id(2), {"::1", two->transport->port()}};
  EXPECT_THAT(to_text(two->peer.address), HasSubstr("[::1]:"));
  send(one, two->peer, "over six");
  ASSERT_TRUE(wait_count(two, Event::kMessage, 1));
}

TEST_F(SocketTest, TransportThatWasNeverStartedStops) {
  Result<std::unique_ptr<AsioTransport>> made = AsioTransport::make(BusOptions());
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE((*made)->listen({"127.0.0.1", 0}).ok());
  EXPECT_NE((*made)->port(), 0);
  (*made)->stop();
}

TEST_F(SocketTest, NodesStopWhileOthersTalkToThem) {
  const NodePtr one = start(1);
  for (uint64_t i = 0; i < 20; ++i) {
    NodePtr other = start(2 + i);
    const Peer peer = other->peer;
    std::atomic<bool> stop{false};
    const std::function<void()> chatter = [&] {
      for (int j = 0; j < 10; ++j) one->transport->send(peer, kType, std::string(1000, 'x'));
      if (!stop.load()) one->transport->post(chatter);
    };
    one->transport->post(chatter);
    ASSERT_TRUE(wait_count(other, Event::kMessage, 10));
    other.reset();
    stop.store(true);
    on_loop(one, [](Transport&) {});
    on_loop(one, [](Transport&) {});
  }
}

}  // namespace
}  // namespace syntropy::testing
