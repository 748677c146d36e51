#include "server/version.h"

namespace syntropy {

std::string_view server_version() { return SYNTROPY_VERSION; }

}  // namespace syntropy
