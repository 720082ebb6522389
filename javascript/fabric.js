// Where FABRIC starts in the browser. Owns the two names that are global: `fabricParts`, in which
// each file lays down the part that it owns, and `fabricUi`, which has exactly what the events of
// gradio call (lib_fabric/page/relay.py).
//
// A file says `fabricParts.x = ({y, z}) => {...; return what others may use}`: the parameters are
// what it needs of other files. A part is built when it is first asked for, once all files are
// there, so that their order does not matter; two that need each other are refused.
//
// Why not modules with `import`: the host adds `?mtime` only to the files that it lists itself, and
// serves all of them without Cache-Control. After an update a browser could put a new file together
// with an imported one from its cache. And before 1.10 the host does not say what an .mjs file is:
// Windows may then serve it as plain text, which browsers refuse to run as a module.

window.fabricParts ??= {};

const fabricUi = (function() {
    // In the order in which they begin; each for itself, so that one that fails stops no other.
    const STARTED = [
        'tabs', 'texts', 'messages', 'tiles', 'accordion', 'presets', 'pictures', 'thumbs',
        'gallery', 'viewer', 'keyboard', 'presses',
    ];
    const built = {};
    const parts = new Proxy({}, {get: (target, name) => part(name)});

    function part(name) {
        if (!(name in built)) {
            const build = window.fabricParts[name];
            if (!build) throw new Error(`FABRIC: no file owns '${name}'`);
            built[name] = null;
            built[name] = build(parts);
        }
        if (!built[name]) throw new Error(`FABRIC: '${name}' needs a part that needs '${name}'`);
        return built[name];
    }

    // Asks other pages for this page's key, which takes a moment: gradio is being loaded meanwhile.
    document.addEventListener('DOMContentLoaded', () => parts.storage);
    for (const name of STARTED) onUiLoaded(() => part(name).start());

    return {
        take: (...values) => parts.presses.take(...values),
        arrive: (...values) => parts.tabs.arrive(...values),
        finish: (...values) => parts.presses.finish(...values),
        ended: (...values) => parts.presses.ended(...values),
        listsChanged: (...values) => parts.presses.listsChanged(...values),
        compare: name => parts.thumbs.compare(name),
        settingsChanged: (...values) => parts.accordion.settingsChanged(...values),
        press: (name, list) => parts.thumbs.press(name, list),
    };
})();
