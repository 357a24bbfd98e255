#!/bin/sh
# Fetches a browser without a window out of Debian's packages into a directory, and prints the program to
# call. Nothing outside of the directory is changed; about 110 MB, once.
#
#   DM_TEST_BROWSER=$(tests/browser.sh /tmp/browser) cargo test -p dm-cli --test http
set -eu
dir=${1:?a directory}
mkdir -p "$dir"
cd "$dir"
if ! [ -x browser ]; then
  # The program, and the libraries that a small machine lacks.
  packages="chromium-headless-shell chromium-common libopenh264-7 libdouble-conversion3
    libopus0 libharfbuzz-subset0 libxnvctrl0 libpulse0 libflac12 libminizip1 libopenjp2-7 libsndfile1
    libasyncns0 libogg0 libvorbis0a libvorbisenc2 libmp3lame0 libmpg123-0"
  # A fresh machine has no lists of packages yet.
  # shellcheck disable=SC2086
  apt-get -qq download $packages >&2 2>/dev/null ||
    { apt-get -qq update >&2 && apt-get -qq download $packages >&2; }
  for package in *.deb; do dpkg -x "$package" root; done
  rm -f ./*.deb
  lib=$PWD/root/usr/lib
  multi=$lib/$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
  cat > browser.new <<END
#!/bin/sh
export LD_LIBRARY_PATH="$multi:$multi/pulseaudio"
exec "$lib/chromium/chromium-headless-shell" "\$@"
END
  chmod +x browser.new
  mv browser.new browser
fi
echo "$PWD/browser"
