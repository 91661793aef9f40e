# Finds the JDK that Ashlar is built with and runs on. Sourced by mvnw and by ashlar.
# shellcheck shell=sh

# jdk_version HOME: sets jdk_version to the feature release of the JDK in HOME, 0 where there is none.
jdk_version() {
  jdk_version=0
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 0
  while IFS='=' read -r jdk_key jdk_value; do
    if [ "$jdk_key" = JAVA_VERSION ]; then
      jdk_value=${jdk_value#\"}
      jdk_value=${jdk_value%%[!0-9]*}
      jdk_version=${jdk_value:-0}
    fi
  done <"$1/release"
}

# find_jdk MINIMUM: sets jdk_home to JAVA_HOME, the JDK of the java on the PATH, or else the newest one in the usual
# folders, the first of these that is at least MINIMUM. Fails where there is none.
find_jdk() {
  jdk_home=${JAVA_HOME:-}
  jdk_version "$jdk_home"
  [ "$jdk_version" -lt "$1" ] || return 0
  if jdk_java=$(command -v java) && jdk_java=$(readlink -f -- "$jdk_java"); then
    jdk_home=${jdk_java%/bin/java}
    jdk_version "$jdk_home"
    [ "$jdk_version" -lt "$1" ] || return 0
  fi
  jdk_home='' jdk_best=$(($1 - 1))
  for jdk_candidate in /usr/lib/jvm/* /opt/* /opt/java/* "${HOME:-/root}"/.sdkman/candidates/java/* "${HOME:-/root}"/.jdks/*; do
    jdk_version "$jdk_candidate"
    if [ "$jdk_version" -gt "$jdk_best" ]; then
      jdk_best=$jdk_version jdk_home=$jdk_candidate
    fi
  done
  [ -n "$jdk_home" ]
}
