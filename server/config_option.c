/* server/config_option.c - an option's name, variable and place in memory. */
#include "server/config_table.h"

#include <stdio.h>
#include <string.h>

static void put(char out[OPTION_NAME_MAX], size_t *len, char c)
{
	assert(*len + 1 < OPTION_NAME_MAX);
	out[(*len)++] = c;
	out[*len] = '\0';
}

void option_path(const struct option *option, unsigned index,
		 char out[OPTION_NAME_MAX])
{
	const char *at = sections[option->section].path;
	size_t len = 0;
	char digits[12] = "";

	for (; *at; at++) {
		put(out, &len, *at);
		if (*at != '[' || index >= LIST_ANY)
			continue;
		snprintf(digits, sizeof(digits), "%u", index % LIST_MAX);
		index /= LIST_MAX;
		for (const char *d = digits; *d; d++)
			put(out, &len, *d);
	}
	if (len)
		put(out, &len, '.');
	for (at = option->key; *at; at++)
		put(out, &len, *at);
}

void option_variable(const struct option *option, unsigned index,
		     char out[OPTION_NAME_MAX])
{
	char path[OPTION_NAME_MAX];
	size_t len = 0;

	for (const char *at = "DOCKPASS_"; *at; at++)
		put(out, &len, *at);
	option_path(option, index, path);
	for (const char *at = path; *at; at++) {
		if (*at == ']')
			continue;
		put(out, &len,
		    *at == '.' || *at == '['   ? '_'
		    : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A')
					       : *at);
		if (*at == '[' && index >= LIST_ANY)
			put(out, &len, 'N');
	}
}

unsigned option_instances(const struct option *option,
			  const struct config *config)
{
	unsigned n = 0;

	switch (option->section) {
	case SECTION_LISTENERS:
	case SECTION_TLS:
		return config->listeners_count;
	case SECTION_CERTIFICATES:
		for (unsigned i = 0; i < config->listeners_count; i++)
			n += config->listeners[i].tls.more_count;
		return n;
	case SECTION_ADMIN_CERTIFICATES:
		return config->admin.tls.more_count;
	case SECTION_SERVICES:
		return config->services_count;
	default:
		return 1;
	}
}

unsigned option_index(const struct option *option, const struct config *config,
		      unsigned n)
{
	unsigned i = 0;

	assert(n < option_instances(option, config));
	if (option->section != SECTION_CERTIFICATES)
		return n;
	while (n >= config->listeners[i].tls.more_count)
		n -= config->listeners[i++].tls.more_count;
	return i + n * LIST_MAX;
}

static const void *section_at(enum section section, const struct config *config,
			      unsigned index)
{
	switch (section) {
	case SECTION_LISTENERS:
		return &config->listeners[index];
	case SECTION_TLS:
		return &config->listeners[index].tls;
	case SECTION_CERTIFICATES:
		return &config->listeners[index % LIST_MAX]
				.tls.more[index / LIST_MAX];
	case SECTION_ADMIN_TLS:
		return &config->admin.tls;
	case SECTION_ADMIN_CERTIFICATES:
		return &config->admin.tls.more[index];
	case SECTION_SERVICES:
		return &config->services[index];
	default:
		return config;
	}
}

void *option_at(const struct option *option, const struct config *config,
		unsigned index)
{
	const char *base = section_at(option->section, config, index);

	return (char *)(uintptr_t)base + option->offset;
}
