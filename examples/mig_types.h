/*
 * The C types of mig_bank.defs and mig_account.defs.
 */
#ifndef EXAMPLES_MIG_TYPES_H
#define EXAMPLES_MIG_TYPES_H

#include <stdint.h>

#define BANK_SERVICE "org.berth.example.bank"

typedef char owner_t[32];
typedef char *text_t;
typedef int64_t *amounts_t;

#define AMOUNTS_MAX 8

#endif
