# berth_add_mig(TARGET FILE.defs [USER] [SERVER] [OPTIONS ...] [DEPENDS ...])
#
# Compile an interface with mig and add the stubs to TARGET: those of the user's side, of the
# server's, or of both if neither is named.  TARGET then includes "FILE.h" (user) or
# "FILEServer.h" (server), and is to be linked with Berth::Berth.
#
#   OPTIONS  for mig: -DNAME=VALUE, -IFOLDER ...
#   DEPENDS  files that it is made from besides FILE.defs and what that includes
#
# The project must have C among its languages.

# what is in a DEPFILE is read the same way by all generators
if(POLICY CMP0116)
  cmake_policy(SET CMP0116 NEW)
endif()

function(berth_add_mig target defs)
  cmake_parse_arguments(PARSE_ARGV 2 mig "USER;SERVER" "" "OPTIONS;DEPENDS")
  if(mig_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "berth_add_mig: what is ${mig_UNPARSED_ARGUMENTS}?")
  endif()
  if(NOT TARGET "${target}")
    message(FATAL_ERROR "berth_add_mig: there is no target ${target}")
  endif()
  if(NOT mig_USER AND NOT mig_SERVER)
    set(mig_USER TRUE)
    set(mig_SERVER TRUE)
  endif()

  get_filename_component(input "${defs}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  get_filename_component(name "${defs}" NAME_WE)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.mig")
  file(MAKE_DIRECTORY "${folder}")

  set(header /dev/null)
  set(user /dev/null)
  set(server /dev/null)
  set(server_header)
  if(mig_USER)
    set(header "${folder}/${name}.h")
    set(user "${folder}/${name}User.c")
    set(outputs "${header}" "${user}")
  endif()
  if(mig_SERVER)
    set(server "${folder}/${name}Server.c")
    set(server_header -sheader "${folder}/${name}Server.h")
    list(APPEND outputs "${folder}/${name}Server.h" "${server}")
  endif()

  # what the interface includes, found while compiling it; older generators cannot know
  list(GET outputs 0 first)
  set(depfile)
  set(depfile_options)
  if(NOT CMAKE_VERSION VERSION_LESS 3.20)
    set(depfile DEPFILE "${folder}/${name}.d")
    set(depfile_options -MD -MF "${folder}/${name}.d" -MT "${first}")
  endif()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND "${Berth_MIG_EXECUTABLE}" ${depfile_options} ${mig_OPTIONS} -header "${header}" -user "${user}"
      -server "${server}" ${server_header} "${input}"
    DEPENDS "${input}" "${Berth_MIG_EXECUTABLE}" ${mig_DEPENDS}
    ${depfile}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Compiling the interface ${defs}"
    VERBATIM)
  target_sources("${target}" PRIVATE ${outputs})
  target_include_directories("${target}" PRIVATE "${folder}")
endfunction()
