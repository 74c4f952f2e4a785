/*
 * berth cc --kext: see cc_kext.h.
 */
#include "tools/cc_kext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexts/bundle/bundle.h"
#include "kexts/bundle/kext_version.h"
#include "tools/command.h"

#define SUFFIX ".kext"
#define PLIST_SIZE_MAX (1u << 20)

/* ---- flags ---------------------------------------------------------------------------------- */

void
cc_kext_add_cflags(struct words *words)
{
	words_add(words, "-DKERNEL=1");
	words_add(words, "-fPIC");
	words_add(words, "-fno-builtin");
}

/* Is the compiler clang?  Its sanitizers are in programs alone unless it is told. */
static bool
is_clang(void)
{
	FILE *answer = popen("${CC:-cc} --version 2>/dev/null", "re");
	char line[256] = "";

	if (!answer)
		return false;
	if (!fgets(line, sizeof(line), answer))
		line[0] = '\0';
	pclose(answer);
	return strstr(line, "clang") != NULL;
}

/* The folder of clang's shared runtimes, so that the loader finds them; "": not known. */
static void
runtime_folder(char *folder, size_t size)
{
	FILE *answer = popen("${CC:-cc} -print-file-name=libclang_rt.asan-$(uname -m).so", "re");

	folder[0] = '\0';
	if (!answer)
		return;
	if (!fgets(folder, (int)size, answer))
		folder[0] = '\0';
	pclose(answer);
	char *slash = strrchr(folder, '/');

	if (slash)
		*slash = '\0';
	else
		folder[0] = '\0';
}

void
cc_kext_add_link_flags(const struct cc_kext *kext, struct words *words)
{
	char folder[4096];

	words_add(words, "-shared");
	/* its own names are its own, whatever a kext that it is linked against calls its */
	words_add(words, "-Wl,-Bsymbolic");
	if (!kext->sanitizers || !is_clang())
		return;
	words_add(words, "-shared-libsan");
	runtime_folder(folder, sizeof(folder));
	if (folder[0] == '\0')
		return;
	words_add(words, "-Xlinker");
	words_add(words, "-rpath");
	words_add(words, "-Xlinker");
	words_add(words, folder);
}

/* ---- the bundle -------------------------------------------------------------------------------
 */

static bool
is_bundle_name(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

/* The text of @path, which the caller frees; NULL after saying why not. */
static char *
read_text(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	char *text = malloc(PLIST_SIZE_MAX + 1);

	if (file && text) {
		*size = fread(text, 1, PLIST_SIZE_MAX + 1, file);
		if (!ferror(file)) {
			fclose(file);
			return text;
		}
	}
	command_failed("cc", "%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	free(text);
	return NULL;
}

/* What the code is to be called: as --info-plist says, or as the bundle.  The caller frees it;
 * NULL after saying why not. */
static char *
executable_name(const struct cc_kext *kext)
{
	const char *slash = strrchr(kext->output, '/');
	const char *base = slash ? slash + 1 : kext->output;
	char name[KEXT_NAME_MAX * 4];
	struct kext_bundle bundle = { 0 };
	struct kext_outcome outcome = { 0 };
	size_t size;

	if (!kext->info_plist)
		return strndup(base, strlen(base) - strlen(SUFFIX));
	char *text = read_text(kext->info_plist, &size);

	if (!text)
		return NULL;
	int32_t result =
	    kext_bundle_read_plist(&bundle, kext->info_plist, text, size, name, &outcome);

	free(text);
	kext_bundle_deinit(&bundle);
	if (result != 0)
		command_failed("cc", "%s", outcome.why);
	else if (name[0] == '\0')
		command_failed("cc", "%s: CFBundleExecutable: is missing", kext->info_plist);
	else
		return strdup(name);
	return NULL;
}

static bool
make_folder(const char *bundle, const char *below)
{
	char path[4096];
	int length = snprintf(path, sizeof(path), "%s%s", bundle, below);

	if (length < 0 || (size_t)length >= sizeof(path))
		errno = ENAMETOOLONG;
	else if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return true;
	command_failed("cc", "cannot make the folder %s%s: %s", bundle, below, strerror(errno));
	return false;
}

/* Put @word for the one at @index. */
static void
replace(struct words *words, size_t index, const char *format, const char *word)
{
	char *text;

	if (asprintf(&text, format, word) < 0) {
		words->no_memory = true;
		return;
	}
	free(words->word[index]);
	words->word[index] = text;
}

static int
prepare_bundle(struct cc_kext *kext, struct words *given)
{
	char bundle[4096];
	char *name;

	snprintf(bundle, sizeof(bundle), "%s/Contents/Info.plist", kext->output);
	/* from before: until the new one is whole there is none */
	if (unlink(bundle) < 0 && errno != ENOENT && errno != ENOTDIR)
		return command_failed("cc", "%s: %s", bundle, strerror(errno));
	name = executable_name(kext);
	if (!name)
		return COMMAND_FAILED;
	if (asprintf(&kext->executable, "%s/Contents/MacOS/%s", kext->output, name) < 0)
		kext->executable = NULL;
	free(name);
	if (!kext->executable)
		return command_failed("cc", "out of memory");
	if (!make_folder(kext->output, "") || !make_folder(kext->output, "/Contents") ||
	    !make_folder(kext->output, "/Contents/MacOS"))
		return COMMAND_FAILED;
	/* as it was given: the next word, or in one with its option */
	const char *word = given->word[kext->output_index];

	replace(given, kext->output_index,
		word[0] != '-'                       ? "%s"
		: strncmp(word, "--output=", 9) == 0 ? "--output=%s"
						     : "-o%s",
		kext->executable);
	return 0;
}

int
cc_kext_prepare(struct cc_kext *kext, struct words *given, bool is_linked, bool is_static)
{
	size_t length = kext->output ? strlen(kext->output) : 0;

	if (is_static)
		return command_usage("cc", "a kernel extension is a shared object: not -static");
	if (length > 1 && kext->output[length - 1] == '/') {
		/* the command line's own word, which nobody else needs any more */
		((char *)(uintptr_t)kext->output)[length - 1] = '\0';
	}
	kext->is_bundle = kext->output && is_bundle_name(kext->output);
	if (kext->info_plist && (!kext->is_bundle || !is_linked))
		return command_usage("cc", "--info-plist is for a bundle: -o NAME.kext");
	if (kext->is_bundle && !is_linked)
		return command_usage("cc", "'%s' is a bundle: that is linked, not only compiled",
				     kext->output);
	/* what others may write is not loaded */
	umask(umask(0) | 022);
	return kext->is_bundle ? prepare_bundle(kext, given) : 0;
}

/* ---- Info.plist ---------------------------------------------------------------------------------
 */

static void
print_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else
			fputc(*text, out);
	}
}

static void
print_pair(FILE *out, const char *tabs, const char *key, const char *value)
{
	fprintf(out, "%s<key>%s</key>\n%s<string>", tabs, key, tabs);
	print_text(out, value);
	fputs("</string>\n", out);
}

static void
print_plist(FILE *out, const char *executable, const char *identifier, const char *version)
{
	static const char *const libraries[] = { "com.apple.kpi.bsd", "com.apple.kpi.iokit",
						 "com.apple.kpi.libkern", "com.apple.kpi.mach" };

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
	      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
	      "<plist version=\"1.0\">\n<dict>\n",
	      out);
	print_pair(out, "\t", "CFBundleExecutable", executable);
	print_pair(out, "\t", "CFBundleIdentifier", identifier);
	print_pair(out, "\t", "CFBundleInfoDictionaryVersion", "6.0");
	print_pair(out, "\t", "CFBundleName", executable);
	print_pair(out, "\t", "CFBundlePackageType", "KEXT");
	print_pair(out, "\t", "CFBundleVersion", version);
	fputs("\t<key>OSBundleLibraries</key>\n\t<dict>\n", out);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		print_pair(out, "\t\t", libraries[i], "8.0.0");
	fputs("\t</dict>\n</dict>\n</plist>\n", out);
}

/* Write Info.plist, with what kmod_info says or as it was given.  0 or -errno. */
static int
write_plist(const struct cc_kext *kext, const struct kext_image *image, const char *path)
{
	FILE *out = fopen(path, "we");
	size_t size = 0;

	if (!out)
		return -errno;
	if (kext->info_plist) {
		char *text = read_text(kext->info_plist, &size);

		if (text)
			fwrite(text, 1, size, out);
		free(text);
	} else {
		print_plist(out, strrchr(kext->executable, '/') + 1, image->name, image->version);
	}
	return fclose(out) == 0 ? 0 : -errno;
}

/* What is in the shared object that will be missed when it is loaded?  The exit code. */
static int
check_image(const struct cc_kext *kext, const char *path, struct kext_image *image)
{
	struct kext_outcome outcome = { 0 };

	if (kext_image_read(image, path, &outcome) != 0)
		return command_failed("cc", "%s", outcome.why);
	if (!image->has_kmod_info && !(kext->info_plist && image->has_realmain))
		return command_failed("cc",
				      "%s exports no kmod_info: a KMOD_EXPLICIT_DECL(identifier, "
				      "\"version\", start, stop) is missing, or it is hidden",
				      path);
	if (!kext->info_plist && image->name[0] == '\0')
		return command_failed("cc", "%s: kmod_info has no name", path);
	if (!kext->info_plist && kext_version_parse(image->version) == 0)
		return command_failed("cc", "%s: kmod_info: '%s' is no version", path,
				      image->version);
	return 0;
}

int
cc_kext_finish(struct cc_kext *kext)
{
	const char *path = kext->is_bundle ? kext->executable
			   : kext->output  ? kext->output
					   : "a.out";
	struct kext_image image;
	char *plist;
	int code = check_image(kext, path, &image);

	if (code != 0) {
		unlink(path);
		return code;
	}
	if (!kext->is_bundle)
		return 0;
	if (asprintf(&plist, "%s/Contents/Info.plist", kext->output) < 0)
		return command_failed("cc", "out of memory");
	int err = write_plist(kext, &image, plist);

	if (err < 0)
		code = command_failed("cc", "%s: %s", plist, strerror(-err));
	free(plist);
	return code;
}

void
cc_kext_free(struct cc_kext *kext)
{
	free(kext->executable);
}
