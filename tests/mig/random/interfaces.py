"""Random interfaces: a .defs file, its C types, a client and a server that check every value.

What an argument is called in C, and how it is filled and checked on both sides, is written
from the specification of the language alone.  Everything follows from one seed.
"""

import random

SCALARS = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4,
           "int64_t": 8, "uint64_t": 8, "char": 1}
# a port's type: as it is given away, and is it a send-once right then
PORTS = {"mach_port_t": ("COPY_SEND", False),
         "mach_port_make_send_t": ("MAKE_SEND", False),
         "mach_port_move_send_t": ("MOVE_SEND", False),
         "mach_port_make_send_once_t": ("MAKE_SEND_ONCE", True)}
COUNT = "mach_msg_type_number_t"


class Argument:
    """One argument: what each side declares, passes, fills and checks.

    @name, @direction; @values and @results are C expressions of the seeds of what goes in
    and comes out; @count that of the number of elements.
    """

    flags = ()

    def __init__(self, name, direction, index):
        self.name = name
        self.direction = direction
        self.values = f"SEED(v, {index})"
        self.results = f"SEED(v, {index}) + 1"

    @property
    def goes_in(self):
        return self.direction != "out"

    @property
    def comes_out(self):
        return self.direction != "in"

    def defs(self):
        flags = "".join(", " + flag for flag in self.flags)
        return f"\t{self.direction} {self.name} : {self.type}{flags}"


class Plain(Argument):
    """A number or a structure: by value, results by pointer."""

    def __init__(self, name, direction, index, type_name):
        super().__init__(name, direction, index)
        self.type = type_name

    def parameters(self):
        return [f"{self.type} {'*' if self.comes_out else ''}{self.name}"]

    def client(self):
        name = self.name
        return ([f"{self.type} {name};", f"values_fill(&{name}, sizeof({name}), {self.values});"],
                [f"&{name}" if self.comes_out else name],
                [f"expect(values_match(&{name}, sizeof({name}), {self.results}));"]
                if self.comes_out else [])

    def server(self):
        name = self.name
        at = name if self.comes_out else "&" + name
        size = f"sizeof({self.type})"
        lines = []
        if self.goes_in:
            lines.append(f"expect(values_match({at}, {size}, {self.values}));")
        if self.comes_out:
            lines.append(f"values_fill({at}, {size}, {self.results});")
        return lines


class FixedArray(Plain):
    """Always a pointer."""

    def __init__(self, name, direction, index, type_name, const):
        super().__init__(name, direction, index, type_name)
        self.is_const = const and direction == "in"
        if self.is_const:
            self.flags = ["const"]

    def parameters(self):
        return [f"{'const ' if self.is_const else ''}{self.type} {self.name}"]

    def client(self):
        setup, _, checks = super().client()
        return setup, [self.name], checks

    def server(self):
        lines = super().server()
        return [line.replace("&" + self.name, self.name) for line in lines]


class BoundedArray(Argument):
    """A pointer and a count."""

    def __init__(self, name, direction, index, type_name, element, most, shares=None,
                 countinout=False):
        super().__init__(name, direction, index)
        self.type = type_name
        self.element = element
        self.most = most
        self.shares = shares
        self.flags = (["countinout"] if countinout else []) + (["samecount"] if shares else [])
        self.countinout = countinout
        self.count = shares.count if shares else f"COUNT(v, {index}, {most})"

    def parameters(self):
        if self.shares:
            return [f"{self.type} {self.name}"]
        star = "*" if self.comes_out else ""
        return [f"{self.type} {self.name}", f"{COUNT} {star}{self.name}Cnt"]

    def client(self):
        name = self.name
        setup = [f"{self.type} {name};"]
        checks = []
        if self.goes_in:
            setup.append(f"values_fill({name}, {self.count} * sizeof({self.element}), "
                         f"{self.values});")
            count = self.count
        else:
            checks.append(f"expect(values_match({name}, {self.count} * sizeof({self.element}), "
                          f"{self.results}));")
            count = f"&{name}_count"
            if not self.shares:
                setup.append(f"{COUNT} {name}_count = {self.most};")
                checks.append(f"expect_equal({name}_count, {self.count});")
        return setup, [name] if self.shares else [name, count], checks

    def server(self):
        name = self.name
        owner = self.shares.name if self.shares else name
        if self.goes_in:
            return [f"expect_equal({owner}Cnt, {self.count});",
                    f"expect(values_match({name}, {owner}Cnt * sizeof({self.element}), "
                    f"{self.values}));"]
        return [f"*{owner}Cnt = {self.count};",
                f"values_fill({name}, *{owner}Cnt * sizeof({self.element}), {self.results});"]


class String(Argument):
    """Characters up to a NUL."""

    def __init__(self, name, direction, index, type_name, size, const):
        super().__init__(name, direction, index)
        self.type = type_name
        self.length = f"LENGTH(v, {index}, {size})"
        self.is_const = const and direction == "in"
        if self.is_const:
            self.flags = ["const"]

    def parameters(self):
        return [f"{'const ' if self.is_const else ''}{self.type} {self.name}"]

    def client(self):
        name = self.name
        return ([f"{self.type} {name};", f"text_fill({name}, {self.length}, {self.values});"],
                [name],
                [f"expect(text_match({name}, {self.length}, {self.results}));"]
                if self.comes_out else [])

    def server(self):
        lines = []
        if self.goes_in:
            lines.append(f"expect(text_match({self.name}, {self.length}, {self.values}));")
        if self.comes_out:
            lines.append(f"text_fill({self.name}, {self.length}, {self.results});")
        return lines


class Memory(Argument):
    """Out of line; @most is 0 where nothing bounds it, @fixed: that many always."""

    def __init__(self, name, direction, index, type_name, element, most, fixed, managed, dealloc):
        super().__init__(name, direction, index)
        self.type = type_name
        self.element = element
        self.fixed = fixed
        self.managed = managed
        self.dealloc = dealloc
        self.count = str(fixed) if fixed else f"COUNT(v, {index}, {most or 3000})"
        self.size = f"({self.count} * sizeof({element}))"
        self.flags = [dealloc] if dealloc else []

    def parameters(self):
        star = "*" if self.comes_out else ""
        result = [f"{self.type} {star}{self.name}"]
        if not self.fixed:
            result.append(f"{COUNT} {star}{self.name}Cnt")
        # the sender says it: a parameter of the server function where it gives memory
        if self.dealloc == "dealloc[]" and self.comes_out:
            result.append(f"boolean_t *{self.name}Dealloc")
        return result

    def client(self):
        name = self.name
        if self.goes_in:
            setup = [f"{self.type} {name} = memory_filled({self.size}, {self.values});"]
        else:
            setup = [f"{self.type} {name} = NULL;"]
        passed = [f"&{name}" if self.comes_out else name]
        if not self.fixed:
            if self.comes_out:
                setup.append(f"{COUNT} {name}_count = {self.count if self.goes_in else 0};")
                passed.append(f"&{name}_count")
            else:
                passed.append(self.count)
        if self.dealloc == "dealloc[]" and self.goes_in:
            passed.append("v % 2")
        checks = []
        if self.comes_out:
            if not self.fixed:
                checks.append(f"expect_equal({name}_count, {self.count});")
            checks += [f"expect(values_match({name}, {self.size}, {self.results}));",
                       f"memory_taken({name}, {self.size});"]
        elif self.dealloc != "dealloc":
            keeps = "true" if self.dealloc is None else "v % 2 == 0"
            checks.append(f"if ({keeps})\n\t\t\tmemory_taken({name}, {self.size});")
        return setup, passed, checks

    def server(self):
        name = self.name
        star = "*" if self.comes_out else ""
        lines = []
        if self.goes_in:
            if not self.fixed:
                lines.append(f"expect_equal({star}{name}Cnt, {self.count});")
            lines.append(f"expect(values_match({star}{name}, {self.size}, {self.values}));")
            if not self.managed:
                lines.append(f"memory_taken({star}{name}, {self.size});")
        if self.comes_out:
            lines.append(f"*{name} = memory_filled({self.size}, {self.results});")
            if not self.fixed:
                lines.append(f"*{name}Cnt = {self.count};")
            if self.dealloc == "dealloc[]":
                lines.append(f"*{name}Dealloc = TRUE;")
        return lines


class Port(Argument):
    """One right; of a disposition that the caller says where the type is polymorphic."""

    def __init__(self, name, direction, index, type_name, given):
        super().__init__(name, direction, index)
        self.type = type_name
        self.given = f"MACH_MSG_TYPE_{given}"
        self.is_once = given == "MAKE_SEND_ONCE"
        self.is_poly = type_name == "mach_port_poly_t"

    def parameters(self):
        star = "*" if self.comes_out else ""
        result = [f"mach_port_t {star}{self.name}"]
        if self.is_poly:
            result.append(f"mach_msg_type_name_t {star}{self.name}Poly")
        return result

    def arrived(self, name, poly):
        kind = "PORT_SEND_ONCE" if self.is_once else "PORT_SEND"
        lines = [f"right_taken({name}, {str(self.is_once).lower()});"]
        if self.is_poly:
            lines.insert(0, f"expect_equal({poly}, MACH_MSG_TYPE_{kind});")
        return lines

    def client(self):
        name = self.name
        value = f"right_given({self.given})" if self.goes_in else "MACH_PORT_NULL"
        setup = [f"mach_port_t {name} = {value};"]
        passed = [f"&{name}" if self.comes_out else name]
        if self.is_poly:
            if self.comes_out:
                setup.append(f"mach_msg_type_name_t {name}_poly = {self.given};")
                passed.append(f"&{name}_poly")
            else:
                passed.append(self.given)
        return setup, passed, self.arrived(name, name + "_poly") if self.comes_out else []

    def server(self):
        name = self.name
        star = "*" if self.comes_out else ""
        lines = []
        if self.goes_in:
            lines += self.arrived(star + name, f"{star}{name}Poly")
        if self.comes_out:
            lines.append(f"*{name} = right_given({self.given});")
            if self.is_poly:
                lines.append(f"*{name}Poly = {self.given};")
        return lines


class Ports(Argument):
    """Rights in a row, or in an array out of line (@ool)."""

    def __init__(self, name, direction, index, type_name, given, most, fixed, ool, managed):
        super().__init__(name, direction, index)
        self.type = type_name
        self.given = f"MACH_MSG_TYPE_{given}"
        self.is_once = str(given == "MAKE_SEND_ONCE").lower()
        self.fixed = fixed
        self.ool = ool
        self.managed = managed
        self.most = most or 40
        self.count = str(fixed) if fixed else f"COUNT(v, {index}, {self.most})"
        self.flags = ["dealloc"] if ool and direction == "out" else []

    def parameters(self):
        star = "*" if self.comes_out else ""
        result = [f"{self.type} {star if self.ool else ''}{self.name}"]
        if not self.fixed:
            result.append(f"{COUNT} {star}{self.name}Cnt")
        return result

    def client(self):
        name = self.name
        given = f"rights_given({name}, {self.count}, {self.given});"
        setup, checks = [], []
        if self.goes_in:
            if self.ool:
                setup.append(f"{self.type} {name} = rights_new({self.count});")
                checks.append(f"memory_taken({name}, {self.count} * sizeof(mach_port_t));")
            else:
                setup.append(f"{self.type} {name};")
            setup.append(given)
            return setup, [name] if self.fixed else [name, self.count], checks
        setup.append(f"{self.type} {name}{' = NULL' if self.ool else ''};")
        passed = [("&" if self.ool else "") + name]
        if not self.fixed:
            setup.append(f"{COUNT} {name}_count = {self.most};")
            passed.append(f"&{name}_count")
            checks.append(f"expect_equal({name}_count, {self.count});")
        checks.append(f"rights_taken({name}, {self.count}, {self.is_once});")
        if self.ool:
            checks.append(f"memory_taken({name}, {self.count} * sizeof(mach_port_t));")
        return setup, passed, checks

    def server(self):
        name = self.name
        lines = []
        if self.goes_in:
            if not self.fixed:
                lines.append(f"expect_equal({name}Cnt, {self.count});")
            lines.append(f"rights_taken({name}, {self.count}, {self.is_once});")
            if self.ool and not self.managed:
                lines.append(f"memory_taken({name}, {self.count} * sizeof(mach_port_t));")
            return lines
        if self.ool:
            lines += [f"*{name} = rights_new({self.count});",
                      f"rights_given(*{name}, {self.count}, {self.given});"]
        else:
            lines.append(f"rights_given({name}, {self.count}, {self.given});")
        if not self.fixed:
            lines.append(f"*{name}Cnt = {self.count};")
        return lines


class Interface:
    """Types and routines."""

    def __init__(self, seed, routine_count):
        self.random = random.Random(seed)
        self.seed = seed
        self.type_defs = []
        self.type_c = []
        self.routines = []
        for index in range(routine_count):
            self.routines.append(self.routine(index))

    def new_type(self, defs, c):
        """Declare a type; @c is its C declaration with NAME for its name."""
        name = f"t{len(self.type_defs)}_t"
        self.type_defs.append(f"type {name} = {defs};")
        self.type_c.append("typedef " + c.replace("NAME", name) + ";")
        return name

    def element(self):
        """A number or a structure."""
        scalar = self.random.choice(list(SCALARS))
        if self.random.random() < 0.7:
            return scalar
        count = self.random.randint(1, 9)
        return self.new_type(f"struct[{count}] of {scalar}",
                             f"struct {{ {scalar} values[{count}]; }} NAME")

    def argument(self, name, direction, index):
        r = self.random
        kind = r.choice(["plain", "plain", "fixed", "bounded", "bounded", "string", "memory",
                         "memory", "port", "ports", "ool_ports"])
        if direction == "inout" and kind in ("bounded", "ports", "ool_ports"):
            kind = "plain"
        const = r.random() < 0.3
        if kind == "plain":
            return Plain(name, direction, index, self.element())
        if kind == "fixed":
            element, count = self.element(), r.randint(1, 12)
            return FixedArray(name, direction, index, self.new_type(
                f"array[{count}] of {element}", f"{element} NAME[{count}]"), const)
        if kind == "bounded":
            element, count = self.element(), r.randint(1, 20)
            return BoundedArray(name, direction, index, self.new_type(
                f"array[*:{count}] of {element}", f"{element} NAME[{count}]"), element, count,
                countinout=direction == "out" and r.random() < 0.4)
        if kind == "string":
            size = r.randint(2, 40)
            star = "" if direction == "inout" or r.random() < 0.4 else "*:"
            return String(name, direction, index, self.new_type(
                f"c_string[{star}{size}]", f"char NAME[{size}]"), size, const)
        if kind == "memory":
            return self.memory(name, direction, index)
        if kind == "port":
            type_name = r.choice([*PORTS, "mach_port_poly_t"])
            given = PORTS[type_name][0] if type_name in PORTS else r.choice(
                [given for given, _ in PORTS.values()])
            return Port(name, direction, index, type_name, given)
        return self.ports(name, direction, index, kind == "ool_ports")

    def memory(self, name, direction, index):
        r = self.random
        element = self.element()
        shape = r.choice(["^any", "any", "^bounded", "^fixed"])
        if direction == "inout" and shape == "any":
            shape = "^any" # whose the old memory is then is a question of its own
        most = r.randint(1, 2000) if shape == "^bounded" else 0
        fixed = r.randint(1, 500) if shape == "^fixed" else 0
        inside = {"^any": "", "any": "", "^bounded": f"*:{most}", "^fixed": str(fixed)}[shape]
        hat = "^" if shape.startswith("^") else ""
        type_name = self.new_type(f"{hat}array[{inside}] of {element}", f"{element} *NAME")
        # what the server gives is new memory each time, and so moves
        dealloc = (r.choice([None, "dealloc", "dealloc[]"]) if direction == "in" else
                   r.choice(["dealloc", "dealloc[]"]) if direction == "out" else "dealloc")
        return Memory(name, direction, index, type_name, element, most, fixed, not hat, dealloc)

    def ports(self, name, direction, index, ool):
        r = self.random
        base = r.choice(list(PORTS))
        shape = r.choice(["fixed", "bounded"] + (["any"] if ool else []))
        fixed = r.randint(1, 6) if shape == "fixed" else 0
        most = r.randint(1, 6) if shape == "bounded" else 0
        inside = str(fixed) if fixed else f"*:{most}" if most else ""
        managed = shape == "any" and r.random() < 0.5
        hat = "^" if ool and not managed else ""
        c = "mach_port_t *NAME" if ool else f"mach_port_t NAME[{fixed or most}]"
        type_name = self.new_type(f"{hat}array[{inside}] of {base}", c)
        return Ports(name, direction, index, type_name, PORTS[base][0], most, fixed, ool, managed)

    def routine(self, index):
        r = self.random
        simple = r.random() < 0.12
        arguments = []
        for i in range(r.randint(0, 8)):
            direction = "in" if simple else r.choice(["in", "in", "out", "out", "inout"])
            argument = self.argument(f"a{len(arguments)}", direction, index * 40 + i * 2)
            arguments.append(argument)
            if isinstance(argument, BoundedArray) and r.random() < 0.25:
                # another as long, behind it, that shares its count
                element = self.element()
                most = argument.most
                arguments.append(BoundedArray(
                    f"a{len(arguments)}", direction, index * 40 + i * 2 + 20, self.new_type(
                        f"array[*:{most}] of {element}", f"{element} NAME[{most}]"), element, most,
                    shares=argument, countinout=argument.countinout))
        return f"routine_{index}", simple, r.random() < 0.1, arguments

    # ---- text -----------------------------------------------------------------------------

    def defs(self):
        lines = [f"/* A random interface: seed {self.seed}. */", "subsystem random 70000;", "",
                 "#include <mach/std_types.defs>", 'import "random_types.h";', "",
                 *self.type_defs, ""]
        for name, simple, skip, arguments in self.routines:
            if skip:
                lines.append("skip;\n")
            parts = ["\t\tserver : mach_port_t", "\tin v : uint32_t"]
            parts += [argument.defs() for argument in arguments]
            lines.append(f"{'simple' if simple else ''}routine {name}(\n" + ";\n".join(parts)
                         + ");\n")
        lines.append("routine routine_count(\n\t\tserver : mach_port_t;\n\tout called : "
                     "uint32_t);\n")
        return "\n".join(lines)

    def types_header(self):
        return "\n".join(["#pragma once", "#include <mach/mach_types.h>",
                          "#include <mach/std_types.h>", *self.type_c, ""])

    def server(self):
        lines = ['#include "random_side.h"', '#include "randomServer.h"', ""]
        for name, _, _, arguments in self.routines:
            parameters = ["mach_port_t server", "uint32_t v"]
            for argument in arguments:
                parameters += argument.parameters()
            lines += ["kern_return_t", f"{name}({', '.join(parameters)})", "{", "\tcalled++;"]
            for argument in arguments:
                lines += ["\t" + line for line in argument.server()]
            lines += ["\treturn KERN_SUCCESS;", "}", ""]
        return "\n".join(lines)

    def client(self):
        lines = ['#include "random_side.h"', '#include "random.h"', ""]
        for name, _, _, arguments in self.routines:
            lines += ["static void", f"call_{name}(mach_port_t server, uint32_t v)", "{"]
            passed, checks = ["server", "v"], []
            for argument in arguments:
                setup, more, after = argument.client()
                lines += ["\t" + line for line in setup]
                passed += more
                checks += after
            lines += [f"\texpect_equal({name}({', '.join(passed)}), KERN_SUCCESS);"]
            lines += ["\t" + line for line in checks] + ["}", ""]
        names = ", ".join("call_" + name for name, _, _, _ in self.routines)
        lines += ["call_function *const calls[] = { " + names + " };",
                  f"const unsigned call_count = {len(self.routines)};", ""]
        return "\n".join(lines)
