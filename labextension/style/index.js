import './base.css';
import './catalog.css';
import './connections.css';
import './form.css';
import './history.css';
