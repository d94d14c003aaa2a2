"""The replayer's own check: names are learned where they are new and compared where they are known."""

import unittest

from matching import Names, differences

ONE, TWO, THREE = (f"{n}0000000-1111-2222-3333-444444444444" for n in "abc")
HREF = "/v2/queues/q/messages/"


class NamesTest(unittest.TestCase):
    def setUp(self):
        self.names = Names({"recorded-project": "real-project"}, {"redis://recorded": "sqlite://real"})

    def test_an_id_is_learned_once_and_then_compared(self):
        self.assertTrue(self.names.matches(f"{HREF}{ONE}", f"{HREF}real-1"))
        self.assertTrue(self.names.matches(ONE, "real-1"))
        self.assertFalse(self.names.matches(ONE, "real-2"))
        self.assertEqual(self.names.real(f"{HREF}{ONE}?x={TWO}"), f"{HREF}real-1?x={TWO}")

    def test_two_recorded_ids_are_never_one_real_id(self):
        self.assertTrue(self.names.matches(ONE, "real-1"))
        self.assertFalse(self.names.matches(TWO, "real-1"))
        self.assertFalse(self.names.matches(f"{THREE},{TWO}", "same,same"))

    def test_a_marker_is_learned_apart_from_the_id_it_was_recorded_as(self):
        self.assertTrue(self.names.matches(ONE, "real-1"))
        self.assertTrue(self.names.matches(f"?limit=1&marker={ONE}&echo=true", "?limit=1&marker=opaque%3D&echo=true"))
        self.assertEqual(self.names.real(f"?marker={ONE}&ids={ONE}"), "?marker=opaque%3D&ids=real-1")
        self.assertTrue(self.names.matches(f"?marker={ONE}", "?marker=another"))

    def test_a_marker_never_seen_is_sent_as_the_id(self):
        self.names.matches(ONE, "real-1")
        self.assertEqual(self.names.real(f"?marker={ONE}"), "?marker=real-1")

    def test_projects_are_put_back(self):
        self.assertEqual(self.names.recorded("for real-project."), "for recorded-project.")

    def test_the_uri_of_a_pool_is_sent_and_put_back(self):
        self.assertEqual(self.names.real('{"uri": "redis://recorded/a"}'), '{"uri": "sqlite://real/a"}')
        self.assertEqual(self.names.recorded("at sqlite://real/a"), "at redis://recorded/a")

    def test_a_pre_signed_url_is_sent_with_the_values_that_were_made(self):
        recorded = {"signature": "ab" * 32, "expires": "2026-11-21T16:04:51"}
        real = {"signature": "cd" * 32, "expires": "2031-01-01T00:00:00"}
        self.assertEqual(differences(recorded, real, self.names), [])
        sent = {"URL-Signature": "ab" * 32, "URL-Expires": "2026-11-21T16:04:51", "URL-Methods": "GET"}
        made = {"URL-Signature": "cd" * 32, "URL-Expires": "2031-01-01T00:00:00", "URL-Methods": "GET"}
        self.assertEqual(self.names.real_headers(sent), made)
        altered = {**sent, "URL-Expires": "2015-01-01T00:00:00"}
        self.assertEqual(self.names.real_headers(altered), {**made, "URL-Expires": "2015-01-01T00:00:00"})
        unknown = {**sent, "URL-Signature": "dead"}
        self.assertEqual(self.names.real_headers(unknown), unknown)
        self.assertEqual(self.names.real_headers({"X": "y"}), {"X": "y"})


class DifferencesTest(unittest.TestCase):
    def setUp(self):
        self.names = Names({}, {})

    def differ(self, recorded, real):
        return differences(recorded, real, self.names)

    def test_equal_documents_with_other_ids_and_ages(self):
        recorded = {"messages": [{"id": ONE, "href": HREF + ONE, "age": 0, "body": {"n": 1}}], "links": []}
        real = {"links": [], "messages": [{"id": "x-1", "href": HREF + "x-1", "age": 3, "body": {"n": 1}}]}
        self.assertEqual(self.differ(recorded, real), [])

    def test_every_kind_of_difference_is_found(self):
        for recorded, real in [
            ({"a": 1}, {}),
            ({}, {"a": 1}),
            ([1], [1, 2]),
            ([1, 2], [2, 1]),
            ({"n": 1}, {"n": True}),
            ({"n": 1}, {"n": 1.0}),
            ({"n": None}, {"n": 0}),
            ({"t": "x"}, {"t": "y"}),
            ({"t": "*"}, {"t": ""}),
            ({"age": 0}, {"age": -1}),
            ({"age": 0}, {"age": 100000}),
            ({"created": "2026-11-20T16:04:51Z"}, {"created": "2026-11-20 16:04:51"}),
            ([HREF + ONE, ONE], [HREF + "x-1", "x-2"]),
        ]:
            with self.subTest(recorded=recorded, real=real):
                self.assertNotEqual(self.differ(recorded, real), [])


if __name__ == "__main__":
    unittest.main()
