/* tests/unit/test_cli_diagnose.c: what `doctor` makes of the configuration and of the engine's answer, and its exit code. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "client/client.h"
#include "cli/diagnose.h"
#include "model/trouble.h"

static char *on_all[] = { (char *)"x" };
static struct conf_switch switches[] = { { .credentials = { on_all, 1 } }, { .credentials = { on_all, 1 } } };
static struct conf_receiver receivers[] = { { .credential = (char *)"x" } };

static const char *
code_of(const json_t *doc, size_t i)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(doc, "findings"), i), "code"));
}

static const char *
text_of(const json_t *doc, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(doc, "findings"), i), key));
}

static const struct { const char *name; struct conf_credential cr; const char *code; int status; } credentials[] = {
	{ "SHA and AES", { .version = SNMP_V3, .auth = AUTH_SHA256, .priv = PRIV_AES128 }, NULL, 0 },
	{ "MD5", { .version = SNMP_V3, .auth = AUTH_MD5, .priv = PRIV_AES128 }, "credential-weak", 1 },
	{ "DES", { .version = SNMP_V3, .auth = AUTH_SHA1, .priv = PRIV_DES }, "credential-weak", 1 },
	{ "no privacy", { .version = SNMP_V3, .auth = AUTH_SHA1 }, "credential-in-clear", 0 },
	{ "nothing at all", { .version = SNMP_V3 }, "credential-open", 1 },
	{ "a community", { .version = SNMP_V2C, .community = (char *)"k7-Rz" }, "credential-in-clear", 0 },
	{ "a community that all know", { .version = SNMP_V2C, .community = (char *)"Public" }, "credential-well-known", 1 },
	{ "the same of version 1", { .version = SNMP_V1, .community = (char *)"private" }, "credential-well-known", 1 },
};

static void
each_credential_in_use_is_judged_once(void **state)
{
	json_t *engine = json_pack("{s:i, s:[], s:i, s:{s:i}}", "version", 1, "findings", "omitted", 0, "credentials", "x", 1);

	(void)state;
	for (size_t i = 0; i < nitems(credentials); i++) {
		struct conf_credential cr = credentials[i].cr;
		struct conf c = { .credentials = &cr, .n_credentials = 1, .switches = switches, .n_switches = 2, .receivers = receivers,
			.n_receivers = 1 };
		struct anamnesis a = { .engine = engine, .conf = &c, .conf_path = "c" };
		json_t *doc;

		print_message("%s\n", credentials[i].name);
		cr.name = (char *)"x";
		doc = diagnose(&a);
		assert_int_equal(json_array_size(json_object_get(doc, "findings")), credentials[i].code != NULL);
		assert_true(str_eq(code_of(doc, 0), credentials[i].code));
		assert_int_equal(diagnosis_status(doc, EXIT_DONE), credentials[i].status);
		if (credentials[i].code != NULL)
			assert_non_null(strstr(text_of(doc, 0, "text"), "\"x\" (1 switch, 1 receiver)"));
		json_decref(doc);
		cr.name = (char *)"unused";
		doc = diagnose(&a);
		assert_int_equal(json_array_size(json_object_get(doc, "findings")), 0);
		json_decref(doc);
	}
	json_decref(engine);
}

static void
without_the_daemon_the_configuration_is_judged_and_that_is_said(void **state)
{
	struct conf_credential cr = { .name = (char *)"x", .version = SNMP_V2C, .community = (char *)"public" };
	struct conf c = { .path = (char *)"c", .credentials = &cr, .n_credentials = 1, .switches = switches, .n_switches = 2 };
	struct anamnesis a = { .asked = EXIT_NO_DAEMON, .why = "no socket", .conf = &c, .conf_path = "c" };
	json_t *doc = diagnose(&a);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(doc, "findings")), 5);
	assert_string_equal(code_of(doc, 0), "daemon-silent");
	assert_non_null(strstr(text_of(doc, 0, "text"), "only the configuration was judged: no socket"));
	assert_string_equal(code_of(doc, 1), "registry-empty");
	assert_string_equal(code_of(doc, 2), "credential-well-known");
	assert_non_null(strstr(text_of(doc, 2, "text"), "(2 switches, 0 receivers)"));
	assert_string_equal(code_of(doc, 3), "receiver-none");
	assert_string_equal(code_of(doc, 4), "policy-empty");
	assert_int_equal(diagnosis_status(doc, EXIT_NO_DAEMON), EXIT_NO_DAEMON);
	assert_int_equal(diagnosis_status(doc, EXIT_REFUSED), EXIT_REFUSED);
	assert_int_equal(diagnosis_status(doc, EXIT_USAGE), EXIT_PARTIAL);
	json_decref(doc);
	a.asked = EXIT_PARTIAL;		/* not asked, or half an answer: that it does not run is not known */
	doc = diagnose(&a);
	assert_string_equal(code_of(doc, 0), "daemon-unheard");
	assert_string_equal(json_string_value(json_object_get(doc, "daemon")), "unheard");
	json_decref(doc);
	a.asked = EXIT_REFUSED;
	doc = diagnose(&a);
	assert_string_equal(json_string_value(json_object_get(doc, "daemon")), "refused");
	json_decref(doc);
}

static void
mistakes_have_their_line_and_secrets_of_others_are_none(void **state)
{
	char denied[128], *lines[] = { (char *)"/etc/x: y/c.conf:41: switch \"a: 7: b\": max_rows: 9 is outside", denied, (char *)"no line at all" };
	struct strlist mistakes = { lines, 3 };
	struct anamnesis a = { .asked = EXIT_NO_DAEMON, .why = "", .conf_path = "c.conf", .mistakes = &mistakes };
	json_t *doc, *what;

	(void)state;
	snprintf(denied, sizeof denied, "c.conf:7: credential \"x\": community_file: k: %s", strerror(EACCES));
	doc = diagnose(&a);
	assert_string_equal(json_string_value(json_object_get(doc, "configuration")), "mistakes");
	assert_string_equal(code_of(doc, 1), "configuration-mistake");
	what = json_object_get(json_array_get(json_object_get(doc, "findings"), 1), "what");
	assert_string_equal(json_string_value(json_object_get(what, "file")), "/etc/x: y/c.conf");
	assert_int_equal(json_integer_value(json_object_get(what, "line")), 41);
	assert_string_equal(text_of(doc, 1, "text"), "switch \"a: 7: b\": max_rows: 9 is outside");
	assert_string_equal(text_of(doc, 2, "text"), "no line at all");
	assert_string_equal(code_of(doc, 3), "configuration-unread");
	json_decref(doc);
	a.mistakes = NULL;
	a.unread = "it is root's";
	doc = diagnose(&a);
	assert_string_equal(json_string_value(json_object_get(doc, "configuration")), "unread");
	json_decref(doc);
}

static void
the_worst_comes_first_and_hints_alone_are_nothing_wrong(void **state)
{
	json_t *engine = json_loads("{\"findings\":[{\"code\":\"h\",\"severity\":\"hint\"},{\"code\":\"w\",\"severity\":\"warning\"},"
	    "{\"code\":\"e\",\"severity\":\"error\"}],\"omitted\":3}", 0, NULL);
	struct anamnesis a = { .engine = engine, .conf_path = "c", .unread = "it is root's" };
	json_t *doc = diagnose(&a);

	(void)state;
	assert_string_equal(code_of(doc, 0), "e");
	assert_string_equal(code_of(doc, 1), "w");
	assert_string_equal(code_of(doc, 2), "configuration-unread");
	assert_string_equal(code_of(doc, 3), "h");
	assert_int_equal(json_integer_value(json_object_get(doc, "omitted")), 3);
	assert_int_equal(diagnosis_status(doc, EXIT_DONE), EXIT_NOTHING);
	json_decref(doc);
	json_array_clear(json_object_get(engine, "findings"));
	doc = diagnose(&a);
	assert_int_equal(diagnosis_status(doc, EXIT_DONE), EXIT_DONE);
	json_decref(doc);
	json_decref(engine);
}

static void
a_hundred_of_a_kind_and_the_rest_is_counted(void **state)
{
	struct troubles t = troubles_new();

	(void)state;
	for (unsigned i = 0; i < 150; i++)
		trouble_add(&t, TROUBLE_SWITCH_UNREACHABLE, (struct trouble_at){ .switch_name = "a\nb\033[2J" }, "x\xff%u", i);
	trouble_add(&t, TROUBLE_SAME_SYSNAME, (struct trouble_at){ 0 }, "%s", "");
	assert_int_equal(json_array_size(t.list), 101);
	assert_int_equal(t.omitted, 50);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_array_get(t.list, 0), "what"), "switch")), "a b[2J");
	json_decref(t.list);
}

static char *
file_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 200000);

	assert_non_null(f);
	assert_non_null(text);
	assert_in_range(fread(text, 1, 199999, f), 1, 199998);
	fclose(f);
	return text;
}

static void
every_code_is_in_the_manual_and_in_the_schema(void **state)
{
	char *manual = file_text(SOURCE_DIR "/doc/camtrapctl.1"), *schema = file_text(SOURCE_DIR "/doc/schema/doctor.schema.json");

	(void)state;
	for (int i = 0; i < TROUBLE_N; i++) {
		const char *code = trouble_code((enum trouble)i);
		char quoted[64], *at = strstr(manual, ".Sh FINDINGS");

		snprintf(quoted, sizeof quoted, "\"%s\"", code);
		print_message("%s\n", code);
		assert_non_null(at);
		assert_non_null(strstr(at, code));
		assert_non_null(strstr(schema, quoted));
	}
	free(manual);
	free(schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_credential_in_use_is_judged_once),
		cmocka_unit_test(without_the_daemon_the_configuration_is_judged_and_that_is_said),
		cmocka_unit_test(mistakes_have_their_line_and_secrets_of_others_are_none),
		cmocka_unit_test(the_worst_comes_first_and_hints_alone_are_nothing_wrong),
		cmocka_unit_test(a_hundred_of_a_kind_and_the_rest_is_counted),
		cmocka_unit_test(every_code_is_in_the_manual_and_in_the_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
