/* tests/unit/test_policy.c: registry and shipped policies: who is restricted, and the innocents of vendors.md who are not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "config/conf.h"
#include "model/policy.h"
#include "model/registry.h"

static struct conf *conf;
static struct registry *registry;

static void
complain(void *arg, const char *line)
{
	(void)arg;
	print_message("%s\n", line);
}

static int
load(void **state)
{
	char path[] = "/tmp/camtrapd-policy-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	size_t missing;

	(void)state;
	fprintf(f, "policy = [ \"%s/conf/policy.d/uk-2022.conf\", \"%s/conf/policy.d/us-ndaa-889.conf\" ];\n", SOURCE_DIR, SOURCE_DIR);
	fclose(f);
	conf = conf_load(path, complain, NULL);
	unlink(path);
	assert_non_null(conf);
	registry = registry_load((const char *const *)conf->registry.v, conf->registry.n, &missing);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	conf_free(conf);
	registry_free(registry);
	return 0;
}

static const struct { const char *mac, *why; bool restricted; const char *vendor; unsigned bits; } cases[] = {
	{ "44:19:b6:01:02:03", "Hikvision",				true,	"Hikvision", 24 },
	{ "24:b1:05:00:00:01", "Prama Hikvision",			true,	"Hikvision (Prama)", 24 },
	{ "3c:ef:8c:00:00:01", "Dahua",					true,	"Dahua", 24 },
	{ "3c:da:6d:00:00:01", "Tiandy",				true,	"Tiandy", 24 },
	{ "ac:64:dd:50:00:01", "Shanghai ZTE, MA-M or its neighbours",	false,	NULL, 0 },
	{ "00:23:63:00:00:01", "Raysharp, whose street is Huawei Road",	true,	"Raysharp", 24 },
	{ "00:09:f5:00:00:01", "Emerson on Huawei Base",		false,	NULL, 24 },
	{ "d0:f1:21:00:00:01", "LINKSCI in ZTE Industrial Park",	false,	NULL, 24 },
	{ "40:2c:76:10:00:01", "Shanghai Dahua Scale Factory",		false,	NULL, 28 },
	{ "00:41:b4:00:00:01", "Wuxi Zhongxing",			false,	NULL, 24 },
	{ "46:19:b6:01:02:03", "locally administered",			false,	NULL, 0 },
	{ "76:6d:6e:69:63:32", "\"vmnic2\"",				false,	NULL, 0 },
	{ "00:14:22:01:02:03", "a laptop",				false,	NULL, 24 },
};

static void
the_right_ones_and_no_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct verdict_of_maker v;
		struct mac mac;

		print_message("%s (%s)\n", cases[i].mac, cases[i].why);
		assert_int_equal(mac_parse(cases[i].mac, &mac), 0);
		v = identify(&conf->policies, registry, mac, NULL, 0);
		if (cases[i].bits != 0)
			assert_int_equal(registry_lookup(registry, mac).bits, cases[i].bits);
		if (cases[i].vendor == NULL && cases[i].bits == 0 && !mac_is_local(mac))
			continue;	/* which of the sixteen parts is ZTE's is the registry's to say */
		assert_int_equal(v.restricted, cases[i].restricted);
		if (v.restricted)
			assert_string_equal(v.vendor, cases[i].vendor);
	}
}

static void
all_seventy_blocks_of_hikvision(void **state)
{
	FILE *f = fopen("/usr/share/wireshark/manuf", "re");
	char line[512];
	int n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		struct mac mac;
		char text[32];

		if (strstr(line, "Hangzhou Hikvision Digital") == NULL || line[0] == '#')
			continue;
		snprintf(text, sizeof text, "%.8s:00:00:01", line);
		assert_int_equal(mac_parse(text, &mac), 0);
		assert_true(identify(&conf->policies, registry, mac, NULL, 0).restricted);
		n++;
	}
	fclose(f);
	assert_true(n >= 70);
}

static struct evidence
says(const char *source, const char *key, const char *value)
{
	struct evidence e = { 0 };

	snprintf(e.source, sizeof e.source, "%s", source);
	snprintf(e.key, sizeof e.key, "%s", key);
	snprintf(e.value, sizeof e.value, "%s", value);
	return e;
}

static void
d3_words_and_blocks_are_held_together(void **state)
{
	static const struct { const char *name, *mac, *maker; bool restricted, conflict; enum confidence confidence; } words[] = {
		{ "block and word agree",	"44:19:b6:00:00:01", "HIKVISION", true, false, CONFIDENCE_CONFIRMED },
		{ "block, another maker's word", "44:19:b6:00:00:01", "Example Printers", true, true, CONFIDENCE_CONFIRMED },
		{ "another's block, the word",	"00:14:22:00:00:01", "HIKVISION DS-2CD", true, true, CONFIDENCE_POSSIBLE },
		{ "local address, the word",	"02:00:00:00:00:01", "HIKVISION DS-2CD", true, false, CONFIDENCE_PROBABLE },
		{ "no whole word",		"00:14:22:00:00:01", "nothikvisionish", false, false, 0 },
		{ "Huawei says Huawei",		"64:f8:1c:00:00:01", "Huawei", true, false, CONFIDENCE_PROBABLE },
	};

	(void)state;
	for (size_t i = 0; i < nitems(words); i++) {
		struct evidence e = says("lldp-med", "maker", words[i].maker);
		struct verdict_of_maker v;
		struct mac mac;

		print_message("%s\n", words[i].name);
		assert_int_equal(mac_parse(words[i].mac, &mac), 0);
		v = identify(&conf->policies, registry, mac, &e, 1);
		assert_int_equal(v.restricted, words[i].restricted);
		if (!v.restricted)
			continue;
		assert_int_equal(v.conflict, words[i].conflict);
		assert_int_equal(v.confidence, words[i].confidence);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_right_ones_and_no_others),
		cmocka_unit_test(all_seventy_blocks_of_hikvision), cmocka_unit_test(d3_words_and_blocks_are_held_together) };

	return cmocka_run_group_tests(tests, load, unload);
}
