/* tests/unit/test_cli_dot.c: no name of a device is more than a label of the graph. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/num.h"
#include "cli/dot.h"

static const struct { const char *name, *text, *dot; } cases[] = {
	{ "plain",			"core-1",			"\"core-1\"" },
	{ "nothing",			"",				"\"\"" },
	{ "a quote",			"x\"];evil[",			"\"x\\\"];evil[\"" },
	{ "a backslash at the end",	"x\\",				"\"x\\\\\"" },
	{ "a backslash and a quote",	"x\\\"y",			"\"x\\\\\\\"y\"" },
	{ "an escape of labels",	"\\N\\G\\l",			"\"\\\\N\\\\G\\\\l\"" },
	{ "a newline",			"x\ny\\\nz",			"\"x y\\\\ z\"" },
	{ "a label like HTML",		"<b>x</b>",			"\"<b>x</b>\"" },
	{ "an entity",			"a&lt;b&#10;",			"\"a&amp;lt;b&amp;#10;\"" },
	{ "the screen",			"x\033[2Jy\a",			"\"x[2Jy\"" },
	{ "Latin-1",			"B\xfcro",			"\"B\xc3\xbcro\"" },
	{ "written backwards",		"x\xe2\x80\xaey",		"\"xy\"" },
};

static void
a_text_stays_a_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct buf b = { 0 };

		print_message("%s\n", cases[i].name);
		put_dot_text(&b, cases[i].text);
		assert_string_equal(buf_text(&b), cases[i].dot);
		buf_free(&b);
	}
}

static void
a_graph_has_numbered_nodes(void **state)
{
	json_t *doc = json_loads("{\"links\":[{\"a\":{\"switch\":\"a\\\"b\",\"port\":\"Gi1\"},\"b\":{\"switch\":\"c\",\"port\":\"Gi2\"}},"
	    "{\"a\":{\"switch\":\"c\",\"port\":\"Gi3\"},\"b\":{\"switch\":null,\"port\":null}}],"
	    "\"blindSpots\":[{\"kind\":\"unpolled-neighbour\",\"switch\":\"c\",\"port\":\"Gi4\",\"neighbour\":{\"name\":\"x\\\\\",\"port\":null}},"
	    "{\"kind\":\"unreachable-switch\",\"switch\":\"d\"}]}", 0, NULL);
	struct buf b = { 0 };

	(void)state;
	assert_non_null(doc);
	put_dot(&b, doc);
	assert_string_equal(buf_text(&b), "graph camtrapd {\n\tnode [shape=box];\n\tn0 [label=\"a\\\"b\"];\n\tn1 [label=\"c\"];\n"
	    "\tn0 -- n1 [taillabel=\"Gi1\", headlabel=\"Gi2\"];\n\tn2 [label=\"?\", style=dashed];\n"
	    "\tn1 -- n2 [taillabel=\"Gi3\", headlabel=\"\", style=dotted];\n\tn3 [label=\"x\\\\\", style=dashed];\n"
	    "\tn1 -- n3 [taillabel=\"Gi4\", headlabel=\"\", style=dashed];\n\tn4 [label=\"d\"];\n\tn4 [color=red];\n}\n");
	buf_free(&b);
	json_decref(doc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_text_stays_a_text), cmocka_unit_test(a_graph_has_numbered_nodes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
