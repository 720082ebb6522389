// Owns: the list of presets: saving, renaming, deleting, and their files. Knows the HTML of
// lib_fabric/page/html/presets.py.

(window.fabricParts ??= {}).presets = ({tabs, presses, accordion, pictures, localization}) => {
    const PART_BYTES = 3 * 1024 * 1024;
    const {element} = tabs;
    const {request} = presses;

    function save(tab) {
        const name = element(tab, 'presets').querySelector('.fabric-name').value.trim();
        const isTaken = namesShown(tab).includes(name.toLowerCase());
        const question = localization.translate('Replace the preset of this name?');
        if (isTaken && !window.confirm(`${question}\n${name}`)) return;
        request(tab, {do: 'save', name: name, overwrite: isTaken});
    }

    function namesShown(tab) {
        const rows = element(tab, 'presets').querySelectorAll('[data-name]');
        return Array.from(rows, each => each.dataset.name.toLowerCase());
    }

    function nameOf(button) {
        return button.closest('[data-name]').dataset.name;
    }

    function rename(tab, name) {
        const newName = window.prompt(localization.translate('New name of the preset'), name);
        if (newName !== null && newName !== name) {
            request(tab, {do: 'rename', name: name, new_name: newName});
        }
    }

    function remove(tab, name) {
        const question = localization.translate('Delete this preset?');
        if (window.confirm(`${question}\n${name}`)) request(tab, {do: 'delete', name: name});
    }

    // ---- files ----------------------------------------------------------------------------------

    /** Sends the file in parts that gradio's connection carries. */
    function bring(tab, file) {
        const parts = Math.max(1, Math.ceil(file.size / PART_BYTES));
        for (let part = 0; part < parts; part++) {
            const load = async () => ({data: await base64(file, part)});
            request(tab, {do: 'import', part: part, parts: parts, load: load});
        }
    }

    async function base64(file, part) {
        const start = part * PART_BYTES;
        const url = await pictures.dataUrl(file.slice(start, start + PART_BYTES));
        return url.slice(url.indexOf(',') + 1);
    }

    /** Lets the browser save a file that came with an answer: {name, data in base64}. */
    function saveFile(file) {
        const bytes = Uint8Array.from(atob(file.data), each => each.charCodeAt(0));
        const address = URL.createObjectURL(new Blob([bytes]));
        const link = document.createElement('a');
        link.href = address;
        link.download = file.name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(address), 60000);
    }

    function start() {
        const takeFile = answer => answer?.file && saveFile(answer.file);
        accordion.on('save', save);
        accordion.on('rename', (tab, button) => rename(tab, nameOf(button)));
        accordion.on('delete', (tab, button) => remove(tab, nameOf(button)));
        accordion.on('load', (tab, button) => request(tab, {do: 'load', name: nameOf(button)}));
        accordion.on('export', (tab, button) => {
            request(tab, {do: 'export', name: nameOf(button), onAnswer: takeFile});
        });
        accordion.on('import', tab => {
            pictures.choose('.zip', false, files => bring(tab, files[0]));
        });
        for (const tab of tabs.all()) {
            element(tab, 'presets').addEventListener('keydown', event => {
                if (event.key === 'Enter' && event.target.matches('.fabric-name')) save(tab);
            });
        }
    }

    return {start};
};
