"""Shows that each rule of the lint bites, and that it leaves good code alone."""

import unittest

import checks
import lint
from source import functions


def lines(count):
    return "  step();\n" * count


def complaints(path, text):
    """The complaints about one file in a tree that is fine otherwise."""
    files = {f"{folder}/README.md": "# x\n" for folder in lint.TOP_FOLDERS}
    return lint.complaints({**files, path: text})


class Functions(unittest.TestCase):
    def spans(self, text):
        return functions(text)

    def test_free_function_and_member_are_found(self):
        text = "namespace a {\nint f(int x) {\n  return x;\n}\nclass C {\n  void g() const {\n  }\n};\n}\n"
        self.assertEqual(self.spans(text), [(2, 4), (6, 7)])

    def test_signature_over_several_lines_counts_from_its_first(self):
        self.assertEqual(self.spans("template <class T = int>\nvoid f(T a,\n       T b) {\n}\n"),
                         [(1, 4)])

    def test_braces_in_comments_and_literals_do_not_count(self):
        text = "void f() {\n  // {\n  /* { */ a = '{'; b = \"{\\\"{\"; c = R\"x({{)x\"; n = 1'000;\n}\n"
        self.assertEqual(self.spans(text), [(1, 4)])

    def test_lambda_and_loop_belong_to_their_function(self):
        text = "void f() {\n  auto g = [](int x) {\n    for (;;) {\n    }\n  };\n}\nvoid h() {\n}\n"
        self.assertEqual(self.spans(text), [(1, 6), (7, 8)])

    def test_constructor_with_braced_members(self):
        self.assertEqual(self.spans("C::C(int a)\n    : a_{a},\n      b_{2} {\n  go();\n}\n"),
                         [(1, 5)])

    def test_operator_is_a_function(self):
        self.assertEqual(self.spans("C& C::operator=(const C& o) {\n}\n"), [(1, 2)])

    def test_table_is_no_function(self):
        self.assertEqual(self.spans("const Entry kTable[] = {\n  {f(1), g},\n};\nint x = f({\n1});\n"), [])

    def test_preprocessor_is_left_out(self):
        self.assertEqual(self.spans("#define X(a) { \\\n  a {\nvoid f() {\n}\n"), [(3, 4)])


class Rules(unittest.TestCase):
    def assert_bites(self, path, text, words):
        found = complaints(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def assert_fine(self, path, text):
        self.assertEqual(complaints(path, text), [])

    def test_includes_point_downwards(self):
        for path, header in (
                ("storage/base/a.cc", "storage/row.h"),
                ("storage/a.cc", "server/context.h"),
                ("merkle/a.cc", "storage/row.h"),
                ("membership/a.cc", "merkle/tree.h"),
                ("rpc/a.cc", "storage/row.h"),
                ("server/resp/a.cc", "server/context.h"),
                ("server/resp/a.cc", "storage/row.h"),
                ("server/public/syntropy/a.cc", "storage/base/hlc.h"),
                ("server/a.cc", "tests/fake.h"),
                ("server/a.cc", "tools/cli/a.h"),
                ("tools/cli/a.cc", "tests/fake.h"),
                ("docs/examples/a.cc", "server/node.h")):
            with self.subTest(path=path, header=header):
                self.assert_bites(path, f'#include "{header}"\n', header)

    def test_allowed_includes(self):
        for path, header in (
                ("storage/base/a.cc", "storage/base/status.h"),
                ("storage/a.cc", "storage/base/status.h"),
                ("merkle/a.cc", "merkle/tree.h"),
                ("server/resp/a.cc", "storage/base/status.h"),
                ("server/a.cc", "storage/row.h"),
                ("tests/a.cc", "tests/fake.h")):
            with self.subTest(path=path, header=header):
                self.assert_fine(path, f'#include "{header}"\n')

    def test_include_starts_at_the_top_folder(self):
        self.assert_bites("storage/a.cc", '#include "row.h"\n', "row.h")

    def test_pure_folders_stay_free_of_libraries(self):
        for header in ("rocksdb/db.h", "boost/asio.hpp", "google/protobuf/message.h"):
            for folder in ("merkle", "membership", "server/public/syntropy"):
                with self.subTest(folder=folder, header=header):
                    self.assert_bites(f"{folder}/a.cc", f"#include <{header}>\n", header)
        self.assert_fine("storage/a.cc", "#include <rocksdb/db.h>\n")

    def test_file_length(self):
        self.assert_bites("storage/a.cc", "\n" * 801, "801 lines")
        self.assert_fine("storage/a.cc", "\n" * 800)

    def test_function_length(self):
        self.assert_bites("storage/a.cc", "void f() {\n" + lines(69) + "}\n", "71 lines")
        self.assert_fine("storage/a.cc", "void f() {\n" + lines(68) + "}\n")
        self.assert_bites("tests/a.py", "def f():\n" + "    g()\n" * 70, "71 lines")

    def test_header_form(self):
        self.assert_bites("storage/a.h", "#pragma once\n", "purpose")
        self.assert_bites("storage/a.h", "// What it is.\n", "pragma")
        self.assert_fine("storage/a.h", "// What it is.\n#pragma once\n")

    def test_no_sleeps_in_tests(self):
        for call in ("std::this_thread::sleep_for(1s)", "usleep(5)", "sleep(1)"):
            with self.subTest(call=call):
                self.assert_bites("tests/a.cc", f"{call};\n", "no sleeps")
        self.assert_fine("tests/a.cc", "// never sleep_for(x)\n")

    def test_machine_paths(self):
        for name in ("work", "home", "root", "Users"):
            self.assert_bites("docs/a.md", "see /" + name + "/you/x\n", "machine")
        self.assert_fine("docs/a.md", "see frame/work/x and /var/lib/x\n")

    def test_unfinished_work(self):
        self.assert_bites("storage/a.cc", "// " + "TO" + "DO: more\n", "unfinished")

    def test_folder_readme_is_there_and_short(self):
        self.assertEqual(list(checks.readmes({"storage/a.cc": ""}, ("storage", "merkle"))),
                         [("storage/README.md", "every top folder has a README")])
        self.assertEqual(len(list(checks.readmes({"storage/README.md": "\n" * 31}, ("storage",)))), 1)

    def test_links_lead_somewhere(self):
        self.assert_bites("docs/a.md", "see [it](../storage/b.h)\n", "../storage/b.h")
        self.assert_fine("docs/a.md", "[a](../storage/README.md#x) [b](https://x.y/z) [c](../tests)\n")


if __name__ == "__main__":
    unittest.main()
