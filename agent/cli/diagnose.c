/* agent/cli/diagnose.c: judges credentials and mistakes of the configuration, and joins that with what the engine found. */
#include "cli/diagnose.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "client/client.h"
#include "model/trouble.h"

/* ---- the configuration */

/* Where "FILE:LINE: text" has its number; NULL: it is of another form. */
static const char *
line_number(const char *line, uint32_t *number)
{
	for (const char *p = strchr(line, ':'); p != NULL; p = strchr(p + 1, ':')) {
		size_t n = strspn(p + 1, "0123456789");
		char digits[12];
		uint64_t v;

		if (n == 0 || n >= sizeof digits || strncmp(p + 1 + n, ": ", 2) != 0)
			continue;
		snprintf(digits, sizeof digits, "%.*s", (int)n, p + 1);
		if (num_parse(digits, 0, UINT32_MAX, &v) < 0)
			continue;
		*number = (uint32_t)v;
		return p;
	}
	return NULL;
}

static void
line_add(struct troubles *t, enum trouble what, const char *conf_path, const char *line)
{
	uint32_t number = 0;
	const char *at = line_number(line, &number), *text = at != NULL ? strchr(at + 1, ':') + 2 : line;
	char file[512];

	snprintf(file, sizeof file, "%.*s", at != NULL ? (int)(at - line) : (int)strlen(conf_path), at != NULL ? line : conf_path);
	trouble_add(t, what, (struct trouble_at){ .file = file, .line = number }, "%s", text);
}

/* A secret that may not be read by whoever asks is no mistake of the file. */
static bool
is_denied(const char *line)
{
	const char *denied = strerror(EACCES);
	size_t n = strlen(line), m = strlen(denied);

	return n >= m && strcmp(line + n - m, denied) == 0;
}

static bool
judge_lines(struct troubles *t, const struct anamnesis *a)
{
	bool mistakes = false;

	if (a->unread != NULL)
		trouble_add(t, TROUBLE_CONFIGURATION_UNREAD, (struct trouble_at){ .file = a->conf_path },
		    "the configuration was not judged, and so no credential: %s", a->unread);
	for (size_t i = 0; a->mistakes != NULL && i < a->mistakes->n; i++) {
		bool denied = is_denied(a->mistakes->v[i]);

		line_add(t, denied ? TROUBLE_CONFIGURATION_UNREAD : TROUBLE_CONFIGURATION_MISTAKE, a->conf_path, a->mistakes->v[i]);
		mistakes |= !denied;
	}
	for (size_t i = 0; a->conf != NULL && i < a->conf->warnings.n; i++)
		line_add(t, TROUBLE_CONFIGURATION_WARNING, a->conf_path, a->conf->warnings.v[i]);
	return mistakes;
}

/* ---- credentials */

/* How many switches it works for; where the engine did not say so, how many it is configured for. */
static size_t
switches_with(const struct anamnesis *a, const char *name)
{
	size_t count = 0;

	if (a->engine != NULL)
		return (size_t)json_integer_value(json_object_get(json_object_get(a->engine, "credentials"), name));
	for (size_t i = 0; i < a->conf->n_switches; i++)
		for (size_t k = 0; k < a->conf->switches[i].credentials.n; k++)
			count += strcmp(a->conf->switches[i].credentials.v[k], name) == 0;
	return count;
}

static size_t
receivers_with(const struct conf *c, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < c->n_receivers; i++)
		count += str_eq(c->receivers[i].credential, name);
	return count;
}

/* The worst that is to be said of it; "": nothing. */
static const char *
weakness(const struct conf_credential *cr, enum trouble *what)
{
	static const struct { unsigned all_of; enum trouble what; const char *words; } said[] = {
		{ WEAK_COMMUNITY, TROUBLE_CREDENTIAL_WELL_KNOWN, "its community is one that everybody tries first" },
		{ WEAK_VERSION, TROUBLE_CREDENTIAL_IN_CLEAR, "versions 1 and 2c send the community in clear" },
		{ WEAK_NO_AUTH, TROUBLE_CREDENTIAL_OPEN, "it has neither authentication nor privacy" },
		{ WEAK_MD5 | WEAK_DES, TROUBLE_CREDENTIAL_WEAK, "MD5 and DES are weak" },
		{ WEAK_MD5, TROUBLE_CREDENTIAL_WEAK, "MD5 is weak" },
		{ WEAK_DES, TROUBLE_CREDENTIAL_WEAK, "DES is weak" },
		{ WEAK_NO_PRIV, TROUBLE_CREDENTIAL_IN_CLEAR, "without privacy all is sent in clear" } };
	unsigned weak = conf_weaknesses(cr);

	for (size_t i = 0; i < nitems(said); i++) {
		if ((weak & said[i].all_of) != said[i].all_of)
			continue;
		*what = said[i].what;
		return said[i].words;
	}
	return "";
}

static void
judge_credentials(struct troubles *t, const struct anamnesis *a)
{
	for (size_t i = 0; i < a->conf->n_credentials; i++) {
		const struct conf_credential *cr = &a->conf->credentials[i];
		size_t switches = switches_with(a, cr->name), receivers = receivers_with(a->conf, cr->name);
		enum trouble what = TROUBLE_N;
		const char *words = weakness(cr, &what);

		if (words[0] != '\0' && switches + receivers > 0)
			trouble_add(t, what, (struct trouble_at){ .credential = cr->name }, "\"%s\" (%zu switch%s, %zu receiver%s): %s", cr->name,
			    switches, switches == 1 ? "" : "es", receivers, receivers == 1 ? "" : "s", words);
	}
}

/* What the engine would say if it could. */
static void
judge_in_its_place(struct troubles *t, const struct anamnesis *a)
{
	if (a->conf->n_receivers == 0)
		trouble_add(t, TROUBLE_RECEIVER_NONE, (struct trouble_at){ 0 }, "no receiver is configured");
	if (a->conf->policies.n == 0)
		trouble_add(t, TROUBLE_POLICY_EMPTY, (struct trouble_at){ 0 }, "no policy is configured");
	if (!a->registry_readable)
		trouble_add(t, TROUBLE_REGISTRY_EMPTY, (struct trouble_at){ .file = a->conf->path }, "not one file of agent.registry can be read");
}

/* ---- the document */

/* How it went with the daemon. */
static const struct heard { int asked; const char *word; enum trouble trouble; } heard[] = {
	{ EXIT_NO_DAEMON, "silent", TROUBLE_DAEMON_SILENT }, { EXIT_REFUSED, "refused", TROUBLE_ASKING_REFUSED },
	{ EXIT_PARTIAL, "unheard", TROUBLE_DAEMON_UNHEARD }	/* not asked, or no whole answer: all others */
};

static const struct heard *
heard_of(const struct anamnesis *a)
{
	size_t i = 0;

	while (i + 1 < nitems(heard) && heard[i].asked != a->asked)
		i++;
	return &heard[i];
}

static void
judge_daemon(struct troubles *t, const struct anamnesis *a)
{
	if (a->engine == NULL)
		trouble_add(t, heard_of(a)->trouble, (struct trouble_at){ 0 },
		    "the daemon was not heard, so only the configuration was judged: %s", a->why);
}

static json_t *
sorted_by_grade(const json_t *one, const json_t *two)
{
	const json_t *lists[] = { one, two };
	json_t *out = json_array();

	for (int g = GRADE_ERROR; g <= GRADE_HINT; g++)
		for (size_t l = 0; l < nitems(lists); l++)
			for (size_t i = 0; i < json_array_size(lists[l]); i++) {
				json_t *f = json_array_get(lists[l], i);

				if (grade_value(json_string_value(json_object_get(f, "severity"))) == (enum grade)g)
					json_array_append(out, f);
			}
	return out;
}

json_t *
diagnose(const struct anamnesis *a)
{
	struct troubles t = troubles_new();
	bool mistakes;
	json_t *doc;

	judge_daemon(&t, a);
	mistakes = judge_lines(&t, a);
	if (a->conf != NULL) {
		judge_credentials(&t, a);
		if (a->engine == NULL)
			judge_in_its_place(&t, a);
	}
	doc = json_pack("{s:i, s:s, s:s, s:o, s:I}", "version", 1, "daemon", a->engine != NULL ? "answers" : heard_of(a)->word,
	    "configuration", mistakes ? "mistakes" : a->conf != NULL ? "checked" : "unread", "findings",
	    sorted_by_grade(t.list, json_object_get(a->engine, "findings")), "omitted",
	    (json_int_t)t.omitted + json_integer_value(json_object_get(a->engine, "omitted")));
	json_decref(t.list);
	return doc;
}

int
diagnosis_status(const json_t *doc, int asked)
{
	const json_t *findings = json_object_get(doc, "findings");

	if (asked != EXIT_DONE)
		return asked == EXIT_NO_DAEMON || asked == EXIT_REFUSED ? asked : EXIT_PARTIAL;
	for (size_t i = 0; i < json_array_size(findings); i++)
		if (!str_eq(json_string_value(json_object_get(json_array_get(findings, i), "severity")), grade_word(GRADE_HINT)))
			return EXIT_NOTHING;		/* no clean bill of health */
	return EXIT_DONE;
}
