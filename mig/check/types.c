/*
 * Types: from what is written to how it travels.
 *
 * Source: mig-language.md §5.
 */
#include <string.h>

#include "mig/check/checker.h"

/* What a name stands for. */
struct known_type {
	const struct ipc_type *type; /* NULL: its declaration was wrong, which has been told */
	uint32_t index;              /* in the interface's types */
	uint32_t depth;
	struct source_place place;
};

/* What is being built: the type, and how deep it goes. */
struct built {
	struct ipc_type *type;
	uint32_t depth;
};

static bool build(struct checker *checker, const struct tree_type *tree, struct built *built);

/* @count times @size bytes; false: too many, told at @place. */
static bool
multiply(struct checker *checker, const struct source_place *place, uint32_t count, uint32_t size,
	 uint32_t *bytes)
{
	if ((uint64_t)count * size <= INT32_MAX) {
		*bytes = count * size;
		return true;
	}
	diagnostics_error(checker->diagnostics, place, "the type has more than %d bytes",
			  INT32_MAX);
	return false;
}

static const struct known_type *
find(struct checker *checker, const struct tree_name *name)
{
	const struct known_type *known = names_find(&checker->types, name->text);

	if (!known)
		diagnostics_error(checker->diagnostics, &name->place,
				  "type `%s` is not known: none is built in, <mach/std_types.defs> "
				  "and <mach/mach_types.defs> declare the usual ones",
				  name->text);
	return known && known->type ? known : NULL;
}

/* The type that another consists of: a named one as it is, or a new one without a name. */
static const struct ipc_type *
build_element(struct checker *checker, const struct tree_type *tree, struct built *whole)
{
	struct built element = { 0 };

	if (tree->kind == TREE_REFERENCE) {
		const struct known_type *known = find(checker, &tree->name);

		if (!known)
			return NULL;
		element = (struct built){ NULL, known->depth };
		whole->type->element = known->type;
	} else {
		element.type = ARENA_NEW(checker->arena, struct ipc_type);
		element.type->place = tree->place;
		if (!build(checker, tree, &element))
			return NULL;
		whole->type->element = element.type;
	}
	whole->depth = element.depth + 1;
	if (whole->depth > TYPE_DEPTH_MAX) {
		diagnostics_error(checker->diagnostics, &tree->place,
				  "types are nested more than %d deep", TYPE_DEPTH_MAX);
		return NULL;
	}
	return whole->type->element;
}

static void
names_as(struct ipc_type *type, const struct ipc_type *element)
{
	type->out_name = element->out_name;
	type->in_name = element->in_name;
}

static bool
refuse(struct checker *checker, const struct source_place *place, const char *why)
{
	diagnostics_error(checker->diagnostics, place, "%s", why);
	return false;
}

/* Must the C compiler see its name, and it has none? */
static bool
has_no_c_name(const struct ipc_type *type)
{
	return !type->name && !type->user_type;
}

/* array[] of @element: out of line. */
static bool
array_out_of_line(struct checker *checker, const struct tree_type *tree, struct ipc_type *type,
		  const struct ipc_type *element)
{
	if (type_is_out_of_line(element))
		return refuse(checker, &tree->place,
			      "what is out of line cannot be the element of an array[]: give the "
			      "array a size, array[n] or array[*:n]");
	if (element->carriage == CARRIAGE_PORTS || type_is_cut(element))
		return refuse(checker, &tree->place,
			      "this is too complicated: the elements of an array[] have a fixed "
			      "size, and ports are single");
	type->carriage = element->carriage == CARRIAGE_PORT ? CARRIAGE_OOL_PORTS : CARRIAGE_OOL;
	type->form = FORM_POINTER;
	type->element_size = element->size_max;
	return true;
}

/* array[n] or array[*:n] of @element, in the message itself. */
static bool
array_inline(struct checker *checker, const struct tree_type *tree, struct ipc_type *type,
	     const struct ipc_type *element)
{
	type->form = FORM_ARRAY;
	type->element_size = element->size_max;
	switch (element->carriage) {
	case CARRIAGE_INLINE:
		if (type_is_cut(element))
			return refuse(checker, &tree->place,
				      "this is too complicated: an array in an array has a fixed "
				      "size");
		type->carriage = CARRIAGE_INLINE;
		break;
	case CARRIAGE_PORT:
		type->carriage = CARRIAGE_PORTS;
		break;
	case CARRIAGE_OOL:
	case CARRIAGE_OOL_PORTS:
		type->carriage =
		    element->carriage == CARRIAGE_OOL ? CARRIAGE_OOLS : CARRIAGE_OOLS_PORTS;
		type->element_size = sizeof(void *);
		return true;
	default:
		return refuse(checker, &tree->place,
			      "this is too complicated: an array of arrays of ports or of what is "
			      "out of line");
	}
	if (type->extent == EXTENT_BOUNDED && has_no_c_name(element))
		return refuse(checker, &element->place,
			      "the elements of an array[*:n] need a C type: declare one with "
			      "`type` and use its name here");
	return multiply(checker, &tree->count_place, type->capacity, type->element_size,
			&type->size_max);
}

static void
set_extent(struct ipc_type *type, const struct tree_type *tree)
{
	type->extent = !tree->is_variable ? EXTENT_FIXED
		       : tree->has_count  ? EXTENT_BOUNDED
					  : EXTENT_ANY;
	type->capacity = tree->has_count ? tree->count : 0;
}

/* An array; behind a `^` always out of line. */
static bool
build_array(struct checker *checker, const struct tree_type *tree, bool is_pointer,
	    struct built *built)
{
	struct ipc_type *type = built->type;
	const struct ipc_type *element = build_element(checker, tree->element, built);
	uint32_t bytes;

	if (!element)
		return false;
	set_extent(type, tree);
	names_as(type, element);
	if (!is_pointer && type->extent != EXTENT_ANY)
		return array_inline(checker, tree, type, element);
	type->managed = !is_pointer;
	return array_out_of_line(checker, tree, type, element) &&
	       multiply(checker, &tree->count_place, type->capacity, type->element_size, &bytes);
}

/* ^ of anything but an array that is written in place. */
static bool
build_pointer(struct checker *checker, const struct tree_type *tree, struct built *built)
{
	struct ipc_type *type = built->type;
	const struct ipc_type *target = build_element(checker, tree->element, built);

	if (!target)
		return false;
	if (type_is_out_of_line(target))
		return refuse(checker, &tree->place,
			      "what stands behind '^' is out of line already");
	if (target->form == FORM_STRING)
		return refuse(checker, &tree->place,
			      "a string cannot be out of line: write ^array[n] or ^array[] of "
			      "MACH_MSG_TYPE_CHAR");
	names_as(type, target);
	type->form = FORM_POINTER;
	type->carriage = type_is_port(target) ? CARRIAGE_OOL_PORTS : CARRIAGE_OOL;
	type->extent = target->extent;
	type->capacity = target->capacity;
	if (target->extent == EXTENT_SINGLE) {
		type->element_size = target->size_max;
	} else {
		type->element_size = target->element_size;
		type->element = target->element;
	}
	return true;
}

static bool
build_struct(struct checker *checker, const struct tree_type *tree, struct built *built)
{
	struct ipc_type *type = built->type;
	const struct ipc_type *element = build_element(checker, tree->element, built);

	if (!element)
		return false;
	if (element->carriage != CARRIAGE_INLINE || type_is_cut(element))
		return refuse(
		    checker, &tree->place,
		    "a structure has no ports, nothing out of line and nothing of variable "
		    "size");
	names_as(type, element);
	type->carriage = CARRIAGE_INLINE;
	type->extent = EXTENT_SINGLE;
	type->form = FORM_STRUCT;
	type->capacity = 1;
	type->element_size = element->size_max;
	return multiply(checker, &tree->count_place, tree->count, element->size_max,
			&type->size_max);
}

static bool
build_string(const struct tree_type *tree, struct built *built)
{
	struct ipc_type *type = built->type;

	type->carriage = CARRIAGE_INLINE;
	type->form = FORM_STRING;
	set_extent(type, tree);
	type->element_size = 1;
	type->size_max = type->capacity;
	type->out_name = type->in_name = (struct ipc_name){ 12, "MACH_MSG_TYPE_STRING_C" };
	return true;
}

static bool
build_native(const struct tree_type *tree, struct built *built)
{
	struct ipc_type *type = built->type;

	type->carriage = CARRIAGE_INLINE;
	type->extent = EXTENT_SINGLE;
	type->form = tree->kind == TREE_POINTER_TO ? FORM_NATIVE_POINTER
		     : tree->kind == TREE_VALUE_OF ? FORM_NATIVE_VALUE
						   : FORM_NATIVE_IF_NOT;
	type->capacity = 1;
	type->out_name = type->in_name = (struct ipc_name){ 9, "MACH_MSG_TYPE_BYTE" };
	type->native_type = tree->name.text;
	type->native_value = tree->value.text;
	type->user_type = type->server_type = type->translated_type = tree->name.text;
	return true;
}

/* Another name of a type: it keeps how it travels, and forgets how C sees it. */
static bool
build_reference(struct checker *checker, const struct tree_type *tree, struct built *built)
{
	const struct known_type *known = find(checker, &tree->name);

	if (!known)
		return false;
	struct source_place place = built->type->place;
	*built->type = *known->type;
	built->type->place = place;
	built->type->intran = built->type->outtran = built->type->destructor = NULL;
	built->depth = known->depth;
	return true;
}

static bool
build(struct checker *checker, const struct tree_type *tree, struct built *built)
{
	switch (tree->kind) {
	case TREE_BASIC:
		return check_basic(checker, tree, built->type);
	case TREE_REFERENCE:
		return build_reference(checker, tree, built);
	case TREE_POINTER:
		if (tree->element->kind == TREE_ARRAY)
			return build_array(checker, tree->element, true, built);
		return build_pointer(checker, tree, built);
	case TREE_ARRAY:
		return build_array(checker, tree, false, built);
	case TREE_STRUCT:
		return build_struct(checker, tree, built);
	case TREE_STRING:
		return build_string(tree, built);
	default:
		return build_native(tree, built);
	}
}

/* ---- C types and translations -------------------------------------------------------- */

/* A C type that two places give: both must say the same. */
static bool
agree(struct checker *checker, const char **text, const struct tree_name *name, const char *side)
{
	if (!name->text)
		return true;
	if (*text && strcmp(*text, name->text) != 0) {
		diagnostics_error(checker->diagnostics, &name->place,
				  "the C type %s is `%s` here and `%s` before", side, name->text,
				  *text);
		return false;
	}
	*text = name->text;
	return true;
}

static bool
set_c_types(struct checker *checker, const struct tree_declaration *tree, struct ipc_type *type)
{
	const char *in_message = NULL, *translated = NULL;
	const char *both = tree->c_type.text ? tree->c_type.text : type->name;
	static const char of_message[] = "in the server's message";
	static const char of_function[] = "of the server function";

	if (!agree(checker, &in_message, &tree->c_server_type, of_message) ||
	    !agree(checker, &in_message, &tree->intran.argument, of_message) ||
	    !agree(checker, &in_message, &tree->outtran.result, of_message) ||
	    !agree(checker, &translated, &tree->intran.result, of_function) ||
	    !agree(checker, &translated, &tree->outtran.argument, of_function) ||
	    !agree(checker, &translated, &tree->destructor.argument, of_function))
		return false;
	type->user_type = tree->c_user_type.text ? tree->c_user_type.text : both;
	type->server_type = in_message ? in_message : both;
	type->translated_type = translated ? translated : type->server_type;
	type->intran = tree->intran.function.text;
	type->outtran = tree->outtran.function.text;
	type->destructor = tree->destructor.function.text;

	const struct tree_name *first = type->intran    ? &tree->intran.function
					: type->outtran ? &tree->outtran.function
							: &tree->destructor.function;
	if (first->text &&
	    (type_is_variable(type) || type->form == FORM_ARRAY || type->form == FORM_STRING))
		return refuse(checker, &first->place,
			      "arrays and strings cannot be translated: only ports, scalars and "
			      "structures can");
	return true;
}

static struct ipc_type *
declare(struct checker *checker, const struct tree_declaration *tree, uint32_t *depth)
{
	struct built built = { ARENA_NEW(checker->arena, struct ipc_type), 0 };

	built.type->place = tree->name.place;
	if (!build(checker, tree->type, &built))
		return NULL;
	built.type->name = tree->name.text;
	*depth = built.depth;
	return set_c_types(checker, tree, built.type) ? built.type : NULL;
}

void
check_type_statement(struct checker *checker, const struct tree_statement *statement)
{
	struct interface *interface = checker->interface;
	struct known_type *known = ARENA_NEW(checker->arena, struct known_type);
	const struct known_type *old = names_find(&checker->types, statement->word.text);

	known->place = statement->word.place;
	if (statement->declaration)
		known->type = declare(checker, statement->declaration, &known->depth);
	if (old && old->type && known->type) {
		diagnostics_warn(checker->diagnostics, &known->place,
				 "type `%s` is declared again; this one counts from here on",
				 statement->word.text);
		diagnostics_note(checker->diagnostics, &old->place, "it was declared here");
	}
	known->index = old ? old->index : interface->type_count++;
	interface->types[known->index] = known->type;
	names_set(&checker->types, statement->word.text, known);
}

const struct ipc_type *
check_argument_type(struct checker *checker, const struct tree_argument *tree)
{
	uint32_t depth;

	if (tree->declaration)
		return declare(checker, tree->declaration, &depth);
	if (tree->type->kind == TREE_REFERENCE) {
		const struct known_type *known = find(checker, &tree->type->name);

		return known ? known->type : NULL;
	}
	struct built built = { ARENA_NEW(checker->arena, struct ipc_type), 0 };
	built.type->place = tree->type->place;
	return build(checker, tree->type, &built) ? built.type : NULL;
}
