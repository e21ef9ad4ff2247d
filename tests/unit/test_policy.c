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
#include "base/text.h"
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
all_fifty_blocks_of_the_ieee(void **state)
{
	FILE *f = fopen("/usr/share/ieee-data/oui.csv", "re");
	char line[512];
	int n = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		struct mac mac;
		char text[16];

		if (strncmp(line + 12, "\"Hangzhou Hikvision Digital", 27) != 0)
			continue;
		snprintf(text, sizeof text, "%.6s000001", line + 5);
		assert_int_equal(mac_parse(text, &mac), 0);
		assert_string_equal(identify(&conf->policies, registry, mac, NULL, 0).vendor, "Hikvision");
		n++;
	}
	fclose(f);
	assert_true(n >= 50);
}

/* ---- the registry against a list that is read and searched in the plainest way */

static struct plain { uint64_t prefix; unsigned bits; char name[256]; struct wall dated; struct plain *next; } *plain[256];
static size_t n_plain;

/* Behind what is there: where two have the same block and date, the first counts. */
static void
plain_add(const char *hex, unsigned bits, const char *name, struct wall dated)
{
	struct plain *e = calloc(1, sizeof *e), **at;
	char digits[13];

	snprintf(digits, sizeof digits, "%.*s", (int)bits / 4, hex);
	e->prefix = strtoull(digits, NULL, 16);
	e->bits = bits;
	e->dated = dated;
	text_clean(e->name, sizeof e->name, name, strlen(name));
	for (at = &plain[e->prefix >> (bits - 8)]; *at != NULL; at = &(*at)->next)
		continue;
	*at = e;
	n_plain++;
}

static void
plain_csv(const char *path, struct wall dated)
{
	FILE *f = fopen(path, "re");
	char line[2048], *name, *end;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned bits = strncmp(line, "MA-L,", 5) == 0 ? 24 : strncmp(line, "MA-M,", 5) == 0 ? 28 : strncmp(line, "MA-S,", 5) == 0 ? 36 : 0;

		if (bits == 0)
			continue;
		name = strchr(line + 5, ',') + 1;
		if (*name == '"') {
			char *to = ++name, *from = name;

			while (*from != '\0' && !(from[0] == '"' && from[1] != '"')) {
				from += from[0] == '"';
				*to++ = *from++;
			}
			*to = '\0';
		} else if ((end = strchr(name, ',')) != NULL)
			*end = '\0';
		plain_add(line + 5, bits, name, dated);
	}
	fclose(f);
}

static void
plain_manuf(const char *path, struct wall dated)
{
	FILE *f = fopen(path, "re");
	char line[2048];

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		char *field[4] = { line, NULL, NULL, NULL }, hex[13];	/* block, short name, name, remark */
		size_t n = 0, fields = 1;
		unsigned bits = 24;

		line[strcspn(line, "\r\n")] = '\0';
		for (char *p = line; *p != '\0' && fields < 4; p++)
			if (*p == '\t')
				*p = '\0', field[fields++] = p + 1;
		if (line[0] == '#' || fields < 2)
			continue;
		if (strchr(line, '/') != NULL)
			bits = (unsigned)strtoul(strchr(line, '/') + 1, NULL, 10);
		for (char *p = line; *p != '\0' && *p != '/' && n < 12; p++)
			if (*p != ':' && *p != '-')
				hex[n++] = *p;
		hex[n] = '\0';
		plain_add(hex, bits, field[2] != NULL && field[2][0] != '\0' ? field[2] : field[1], dated);
	}
	fclose(f);
}

static const struct plain *
plain_find(uint64_t mac)
{
	const struct plain *best = NULL;

	if ((mac >> 40 & 3) != 0)
		return NULL;		/* group, or locally administered */
	for (const struct plain *e = plain[mac >> 40]; e != NULL; e = e->next)
		if (mac >> (48 - e->bits) == e->prefix && (best == NULL || e->bits > best->bits ||
		    (e->bits == best->bits && e->dated.us > best->dated.us)))
			best = e;
	return best;
}

static void
the_longest_prefix_of_the_newest_file(void **state)
{
	static const unsigned lengths[] = { 24, 28, 36 };
	size_t n_files, found[3] = { 0 }, known = 0;
	const struct registry_file *files = registry_files(registry, &n_files);
	unsigned seed = 20261124;

	(void)state;
	for (size_t i = 0; i < n_files; i++) {
		if (strstr(files[i].path, "manuf") != NULL)
			plain_manuf(files[i].path, files[i].dated);
		else
			plain_csv(files[i].path, files[i].dated);
	}
	print_message("%zu files, %zu blocks, seed %u\n", n_files, n_plain, seed);
	assert_true(n_files == 4 && n_plain > 90000);
	for (int round = 0; round < 40000; round++) {
		uint64_t v = 0;
		const struct plain *want;
		struct registry_match got;

		for (int i = 0; i < 4; i++) {
			seed = seed * 1103515245 + 12345;
			v = v << 12 | (seed >> 12 & 0xfff);
		}
		if (round % 4 != 0) {		/* mostly within or beside what is registered */
			const struct plain *e = plain[v >> 40 & 0xfc];

			for (unsigned skip = v & 0x7ff; e != NULL && e->next != NULL && skip > 0; skip--)
				e = e->next;
			if (e != NULL)
				v = (e->prefix << (48 - e->bits)) | (v & ((1ull << (48 - (round % 4 == 1 ? e->bits : 24))) - 1));
		}
		want = plain_find(v);
		got = registry_lookup(registry, mac_of_u64(v));
		if ((want == NULL) != (got.organisation == NULL) || (want != NULL && (got.bits != want->bits || strcmp(got.organisation, want->name) != 0)))
			fail_msg("%012llx: got %u \"%s\", want %u \"%s\"", (unsigned long long)v, got.bits, got.organisation != NULL ? got.organisation : "",
			    want != NULL ? want->bits : 0, want != NULL ? want->name : "");
		known += want != NULL;
		for (size_t i = 0; want != NULL && i < nitems(lengths); i++)
			found[i] += want->bits == lengths[i];
	}
	print_message("%zu known: %zu MA-L, %zu MA-M, %zu MA-S\n", known, found[0], found[1], found[2]);
	assert_true(known > 20000 && found[0] > 500 && found[1] > 500 && found[2] > 500);
	for (size_t i = 0; i < nitems(plain); i++) {
		while (plain[i] != NULL) {
			struct plain *e = plain[i];

			plain[i] = e->next;
			free(e);
		}
	}
}

/* vendors.md, "Traps": makers as the registry has them, each in a registry of its own. */
static const struct { int trap; const char *organisation, *address; const char *vendor; } traps[] = {
	{ 1, "Emerson Network Power", "Huawei Base, Bantian, Shenzhen", NULL },
	{ 1, "Zhuhai TOP Intelligence Electric Co., Ltd.", "Huawei Road", NULL },
	{ 1, "QNAP Systems, Inc.", "No. 22 Zhongxing Road", NULL },
	{ 1, "Xi'an LINKSCI Technology Co., Ltd", "ZTE Industrial Park", NULL },
	{ 1, "Zhuhai Raysharp Technology Co.,Ltd", "No.119 of Huawei Road", "Raysharp" },
	{ 2, "AZTECH ELECTRONICS PTE LTD", "", NULL }, { 2, "Aztek Inc", "", NULL }, { 2, "KAZTEK SYSTEMS", "", NULL }, { 2, "NAZTEC, INC.", "", NULL },
	{ 2, "ZTEC Instruments, Inc.", "", NULL }, { 2, "Shenztech Co., Ltd", "", NULL }, { 2, "Anhui Wanzten Co., Ltd", "", NULL },
	{ 2, "Blitzschutztechnik GmbH", "", NULL }, { 2, "zte corporation", "", "ZTE" },
	{ 3, "Shanghai Dahua Scale Factory", "", NULL }, { 3, "Zhejiang Dahua Technology Co., Ltd.", "", "Dahua" },
	{ 4, "Wuxi Zhongxing Optoelectronics Technology Co.,Ltd.", "", NULL },
	{ 5, "MAKU Informationstechik GmbH", "", NULL }, { 5, "Hangzhou Hikrobot Technology Co., Ltd.", "", "Hikrobot (Hikvision)" },
	{ 6, "Univision Engineering Limited", "", NULL }, { 6, "Panavision Federal Systems, LLC", "", NULL },
	{ 6, "Zhejiang Uniview Technologies Co.,Ltd.", "", "Uniview" }, { 6, "Zhejiang Uniview Technologies Co., Ltd.", "", "Uniview" },
	{ 7, "Flirtey Inc", "", NULL }, { 7, "Franke Aquarotter GmbH", "", NULL }, { 7, "Beijing Lanke Science and Technology Co.,LTd.", "", NULL },
	{ 7, "GoSund Technology Co., Ltd", "", NULL }, { 7, "Provision Communication Technologies", "", NULL },
	{ 8, "HANGZHOU HIKVISION DIGITAL TECHNOLOGY CO.,LTD", "", "Hikvision" }, { 8, "Hangzhou  Hikvision Digital Technology Co . , Ltd .", "", "Hikvision" },
	{ 8, "Zhejiang Dahua Technologyco.,Ltd", "", "Dahua" }, { 8, "Tiandy Technologies Co.,LTD", "", "Tiandy" }, { 8, "TVT CO., LTD", "", "TVT" },
	{ 8, "Hytera Communications Co .,ltd", "", "Hytera" }, { 8, "Hangzhou Hikvision Digital Technology Co.,Ltd. Service GmbH", "", NULL },
	{ 11, "New H3C Technologies Co., Ltd", "", NULL }, { 11, "Hangzhou H3C Technologies Co., Limited", "", NULL },
};

static void
traps_1_to_8_are_names_and_nothing_else(void **state)
{
	static const struct mac mac = { { 0x00, 0x00, 0x5d, 1, 2, 3 } };

	(void)state;
	for (size_t i = 0; i < nitems(traps); i++) {
		struct registry *r = registry_new();
		struct verdict_of_maker v;
		char text[512];
		int n = snprintf(text, sizeof text, "Registry,Assignment,Organization Name,Organization Address\r\nMA-L,00005D,\"%s\",\"%s\"\r\n",
		    traps[i].organisation, traps[i].address);

		print_message("%d: %s\n", traps[i].trap, traps[i].organisation);
		assert_int_equal(registry_add(r, "made.csv", text, (size_t)n, (struct wall){ 1 }), 0);
		assert_int_equal(registry_finish(r), 0);
		assert_int_equal(registry_lookup(r, mac).bits, 24);
		v = identify(&conf->policies, r, mac, NULL, 0);
		assert_int_equal(v.restricted, traps[i].vendor != NULL);
		assert_string_equal(v.vendor, traps[i].vendor != NULL ? traps[i].vendor : "");
		registry_free(r);
	}
}

static struct verdict_of_maker
verdict(const char *text, const struct evidence *e, size_t n)
{
	struct mac mac;

	assert_int_equal(mac_parse(text, &mac), 0);
	return identify(&conf->policies, registry, mac, e, n);
}

/* Of the sixteen parts of a block cut into MA-M one is a restricted maker's. */
static void
trap_9_twenty_eight_bits(void **state)
{
	static const struct { const char *parent; char part; const char *vendor; } split[] = { { "ac:64:dd", '5', "ZTE" }, { "2c:16:bd", '6', "CloudWalk" },
		{ "ac:1d:df", '6', "SenseTime" }, { "60:15:92", '6', "Megvii" }, { "7c:bc:84", '3', "Yitu" } };

	(void)state;
	for (size_t i = 0; i < nitems(split); i++) {
		int restricted = 0;

		for (const char *part = "0123456789abcdef"; *part != '\0'; part++) {
			struct verdict_of_maker v;
			char text[32];

			snprintf(text, sizeof text, "%s:%c1:02:03", split[i].parent, *part);
			v = verdict(text, NULL, 0);
			restricted += v.restricted;
			if (*part != split[i].part)
				continue;
			print_message("%s is %s: %s\n", text, v.vendor, v.reason);
			assert_true(v.restricted);
			assert_non_null(strstr(v.vendor, split[i].vendor));
			assert_non_null(strstr(v.reason, "MA-M"));
		}
		assert_int_equal(restricted, 1);
	}
}

static void
traps_10_to_12_owner_kind_and_brand(void **state)
{
	struct evidence word = says("lldp", "sysDesc", "HIKVISION DS-2CD2185FWD-I"), module = says("lldp-med", "maker", "Quectel");
	struct verdict_of_maker v;

	(void)state;
	assert_false(verdict("46:19:b6:01:02:03", NULL, 0).restricted);	/* 10: nobody's, though it looks like one */
	assert_false(verdict("76:6d:6e:69:63:32", NULL, 0).restricted);	/* 10: "vmnic2" */
	assert_false(verdict("45:19:b6:01:02:03", NULL, 0).restricted);	/* 10: a group address */
	v = verdict("64:f8:1c:00:00:01", NULL, 0);			/* 11: Huawei makes much that is no camera */
	assert_true(v.restricted && v.confidence == CONFIDENCE_PROBABLE);
	v = verdict("44:19:b6:00:00:01", NULL, 0);			/* 11: Hikvision makes little else */
	assert_true(v.restricted && v.confidence == CONFIDENCE_CONFIRMED);
	v = verdict("00:14:22:00:00:01", &word, 1);			/* 12: another brand's block, a camera's words */
	assert_true(v.restricted && v.conflict && v.confidence == CONFIDENCE_POSSIBLE);
	v = verdict("44:19:b6:00:00:01", &module, 1);			/* 12: the maker's block under another brand */
	assert_true(v.restricted && v.conflict);
}

/* A reason is cut at a character: what goes into JSON is UTF-8. */
static void
a_long_foreign_name_stays_utf8(void **state)
{
	static const struct mac mac = { { 0x00, 0x00, 0x5d, 1, 2, 3 } };
	struct policy_rule rule = { .vendor = (char *)"Example", .kind = RULE_ORGANISATION, .basis = BASIS_OPERATOR };
	struct policy_set set = { .name = (char *)"own", .rules = &rule, .n = 1 };
	struct policies own = { &set, 1 };
	char name[256], text[400], again[256];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		struct registry *r = registry_new();
		struct verdict_of_maker v;
		int n;

		snprintf(name, sizeof name, "%.*s", (int)shift, "xyz");
		while (strlen(name) < 200)
			strncat(name, "\xe6\xb5\xb7", sizeof name - strlen(name) - 1);
		rule.match = name;
		n = snprintf(text, sizeof text, "00:00:5D\tShort\t%s\n", name);
		assert_int_equal(registry_add(r, "manuf", text, (size_t)n, (struct wall){ 1 }), 0);
		assert_int_equal(registry_finish(r), 0);
		v = identify(&own, r, mac, NULL, 0);
		assert_true(v.restricted);
		text_clean(again, sizeof again, v.reason, strlen(v.reason));
		assert_string_equal(again, v.reason);
		registry_free(r);
	}
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
		cmocka_unit_test(all_seventy_blocks_of_hikvision), cmocka_unit_test(all_fifty_blocks_of_the_ieee),
		cmocka_unit_test(the_longest_prefix_of_the_newest_file), cmocka_unit_test(traps_1_to_8_are_names_and_nothing_else),
		cmocka_unit_test(trap_9_twenty_eight_bits), cmocka_unit_test(traps_10_to_12_owner_kind_and_brand),
		cmocka_unit_test(a_long_foreign_name_stays_utf8), cmocka_unit_test(d3_words_and_blocks_are_held_together) };

	return cmocka_run_group_tests(tests, load, unload);
}
