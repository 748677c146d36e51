// fmt and spdlog, for precompiled headers.
//
// Each file that logs would compile the whole formatter of fmt 9 once more, which takes longer than
// the rest of the file. libfmt holds it.
#pragma once

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#if FMT_VERSION / 10000 == 9 && !defined(FMT_HEADER_ONLY)
extern template void fmt::detail::vformat_to(buffer<char>&, string_view,
                                             basic_format_args<FMT_BUFFER_CONTEXT(char)>,
                                             locale_ref);
#endif
