/* agent/config/dump.c: structs → libconfig text, from the schema. Defaults are written out, secrets are not. */
#include "config/schema.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"

static void
put_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			fprintf(out, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			fprintf(out, "\\x%02x", ch);
		else
			fputc(ch, out);
	}
	fputc('"', out);
}

static void
put_list(FILE *out, const struct strlist *l)
{
	fputs("[ ", out);
	for (size_t i = 0; i < l->n; i++) {
		put_string(out, l->v[i]);
		fputs(i + 1 < l->n ? ", " : " ", out);
	}
	fputc(']', out);
}

/* The secret's file stands next to it in the table; where there is one, the secret itself is not printed. */
static bool
is_absent(const struct conf_key *k, const void *obj)
{
	const char *at = (const char *)obj + k->off;

	switch (k->kind) {
	case K_TEXT:
		if ((k->flags & F_SECRET) && *(char *const *)((const char *)obj + k[1].off) != NULL)
			return true;
		return *(char *const *)at == NULL;
	case K_FILE: case K_HOST:
		return *(char *const *)at == NULL;
	case K_IP:
		return ((const struct ip *)at)->family == 0;
	case K_ADDRESS:
		return ((const struct ip_port *)at)->ip.family == 0;
	default:
		return false;
	}
}

static void
put_value(FILE *out, const struct conf_key *k, const void *obj)
{
	const char *at = (const char *)obj + k->off;
	char text[IP_TEXT], d[24];
	const char *name;
	uint16_t port;

	switch (k->kind) {
	case K_TEXT: case K_FILE: case K_MATCH:
		put_string(out, (k->flags & F_SECRET) ? "***" : *(char *const *)at);
		break;
	case K_UINT:
		fprintf(out, "%" PRIu32, *(const uint32_t *)at);
		break;
	case K_DURATION:
		fprintf(out, "\"%s\"", duration_text((uint64_t)*(const uint32_t *)at * 1000, d));
		break;
	case K_BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		break;
	case K_ENUM:
		name = key_enum_text(k, key_enum_get(k, obj));
		assert(name != NULL);		/* a print that does not say it would not be read again */
		put_string(out, name);
		break;
	case K_TEXTS: case K_FILES: case K_LISTEN: case K_NETS: case K_ONE:
		if (k->flags & F_EMPTY)
			fputs("[ ]", out);
		else
			put_list(out, (const struct strlist *)at);
		break;
	case K_ADDRESS:
		put_string(out, ip_port_text((const struct ip_port *)at, (uint16_t)k->min, text));
		break;
	case K_IP:
		put_string(out, ip_text((const struct ip *)at, text));
		break;
	case K_IPS: case K_VLANS:
		fputs("[ ", out);
		for (size_t i = 0, n = *(const size_t *)((const char *)obj + k->off2); i < n; i++) {
			if (k->kind == K_IPS)
				put_string(out, ip_text(&(*(struct ip *const *)at)[i], text));
			else
				fprintf(out, "%u", (*(uint16_t *const *)at)[i]);
			fputs(i + 1 < n ? ", " : " ", out);
		}
		fputc(']', out);
		break;
	case K_HOST:
		name = *(char *const *)at;
		port = *(const uint16_t *)((const char *)obj + k->off2);
		fputc('"', out);
		for (const char *p = name; *p != '\0'; p++) {
			if (*p == ':') {	/* an IPv6 address; host names have no colon */
				fprintf(out, "[%s]", name);
				name = NULL;
				break;
			}
		}
		if (name != NULL)
			fputs(name, out);
		if (port != k->min)
			fprintf(out, ":%u", port);
		fputc('"', out);
		break;
	}
}

static void
put_keys(FILE *out, const struct conf_key *keys, const void *obj, const char *before, const char *after)
{
	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		if ((k->flags & F_HIDDEN) || is_absent(k, obj))
			continue;
		fprintf(out, "%s%s = ", before, k->name);
		put_value(out, k, obj);
		fprintf(out, ";%s", after);
	}
}

void
conf_dump(const struct conf *c, FILE *out)
{
	for (size_t i = 0; i < G_N; i++) {
		const struct conf_group *g = &conf_groups[i];
		size_t n = group_count(g, c);

		if (g->name[0] == '\0') {
			put_keys(out, g->keys, c, "", "\n");
			continue;
		}
		if (g->what == NULL) {
			fprintf(out, "%s = {\n", g->name);
			put_keys(out, g->keys, c, "  ", "\n");
			fputs("};\n", out);
			continue;
		}
		fprintf(out, "%s = (", g->name);
		for (size_t e = 0; e < n; e++) {
			fputs(e == 0 ? "\n  {" : ",\n  {", out);
			put_keys(out, g->keys, group_element(g, c, e), " ", "");
			fputs(" }", out);
		}
		fputs(" );\n", out);
	}
}
