/* Imported by the user's header alone. */
#define NAMES_USER 1
