/* agent/cli/doctor.c: the questions and files behind the document `doctor`, and its page. */
#include "cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"
#include "client/client.h"
#include "cli/diagnose.h"
#include "cli/page.h"

struct lines { struct strlist list; size_t cap; };

static void
line_keep(void *arg, const char *line)
{
	struct lines *l = arg;
	char *copy = strdup(line);

	if (copy == NULL || array_grow((void **)&l->list.v, l->list.n, &l->cap, sizeof *l->list.v) < 0)
		free(copy);
	else
		l->list.v[l->list.n++] = copy;
}

static void
lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->list.n; i++)
		free(l->list.v[i]);
	free(l->list.v);
}

static bool
registry_is_readable(const struct conf *c)
{
	for (size_t i = 0; c != NULL && i < c->registry.n; i++)
		if (access(c->registry.v[i], R_OK) == 0)
			return true;
	return false;
}

/* With the place in a file before it. */
static void
page_finding(const json_t *f)
{
	const json_t *what = json_object_get(f, "what"), *line = json_object_get(what, "line");
	const char *file = json_string_value(json_object_get(what, "file")), *text = json_string_value(json_object_get(f, "text"));
	struct buf b = { 0 };

	if (file != NULL && line != NULL)
		buf_printf(&b, "%s:%lld: ", file, (long long)json_integer_value(line));
	else if (file != NULL)
		buf_printf(&b, "%s: ", file);
	buf_printf(&b, "%s", text != NULL ? text : "");
	page_line(json_string_value(json_object_get(f, "severity")), buf_text(&b));
	page_line("", json_string_value(json_object_get(f, "remedy")));
	buf_free(&b);
}

static void
page_doctor(const json_t *doc)
{
	const json_t *findings = json_object_get(doc, "findings");
	long long omitted = json_integer_value(json_object_get(doc, "omitted"));

	for (size_t i = 0; i < json_array_size(findings); i++)
		page_finding(json_array_get(findings, i));
	if (omitted > 0)
		printf("(%lld more of the same kinds)\n", omitted);
	if (json_array_size(findings) == 0)
		puts("Nothing is found to be wrong.");
}

/* Prints it, and returns the exit code. */
static int
tell(const json_t *doc, int asked, enum format format)
{
	if (format == FORMAT_TABLE)
		page_doctor(doc);
	else
		render("doctor", doc, format);
	return diagnosis_status(doc, asked);
}

int
cmd_doctor(const char *socket, const char *why, const char *conf_path, bool said, enum format format)
{
	struct anamnesis a = { .conf_path = conf_path, .asked = EXIT_PARTIAL, .why = why };
	char answer[WHY_MAX];
	struct lines mistakes = { 0 };
	json_t *engine = NULL, *doc;
	struct conf *conf = NULL;
	int status = EXIT_PARTIAL;

	if (socket != NULL && (engine = client_ask(socket, json_pack("{s:s}", "command", "doctor"), &a.asked, answer)) == NULL)
		a.why = answer;
	if (engine == NULL)
		fprintf(stderr, "camtrapctl: %s; only the configuration is judged\n", a.why);
	if (access(conf_path, R_OK) < 0 && (!said || errno == EACCES))
		a.unread = strerror(errno);
	else
		conf = conf_load(conf_path, line_keep, &mistakes);
	a.engine = engine;
	a.conf = conf;
	a.mistakes = &mistakes.list;
	a.registry_readable = registry_is_readable(conf);
	if ((doc = diagnose(&a)) != NULL)
		status = tell(doc, a.asked, format);
	else
		fprintf(stderr, "camtrapctl: out of memory\n");
	json_decref(doc);
	json_decref(engine);
	conf_free(conf);
	lines_free(&mistakes);
	return status;
}
