// The Status and Result of the public API. In an installation this file is storage/base/status.h
// itself.
#pragma once

#include "storage/base/status.h"
